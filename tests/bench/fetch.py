#!/usr/bin/env python3
"""a2b-fetch beside s5cmd, boto3 and the AWS CLI, as far as they are installed.

A loopback Ceph radosgw (tests/helpers/radosgw) holds 300 objects of 200 KB and
one of 200 MB, uploaded in parts of 8 MiB where a client is there that does so.
Every round runs all clients one after the other, whole processes from start
to exit, listing included; medians of wall and CPU time, and peak memory. Then
a2b-fetch alone: the 300 objects with 50 ms before every answer, beside the
limit objects x latency / transfers + transfer time, and manifests of 1,000 and
100,000 lines.

Clients are looked for in PATH; boto3 in the Python that runs this.
"""
import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

N_SMALL = 300
SMALL = 200_000
BIG = 200 << 20
DELAY_MS = 50
TRANSFERS = 32

BOTO3 = """
import boto3, sys
from concurrent.futures import ThreadPoolExecutor
what, out = sys.argv[1:]
import os
s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
keys = [k["Key"] for p in s3.get_paginator("list_objects_v2").paginate(
    Bucket="bench", Prefix=what) for k in p["Contents"]]
os.makedirs(out, exist_ok=True)
with ThreadPoolExecutor(32) as pool:
    list(pool.map(lambda k: s3.download_file("bench", k,
         os.path.join(out, os.path.basename(k))), keys))
"""


def run(command, **more):
    """Runs a command; wall and CPU seconds and peak memory in MB."""
    used = os.path.join(os.environ["TMPDIR"], "used")
    begin = time.monotonic()
    status = subprocess.run(["used", used, *command], **more).returncode
    wall = time.monotonic() - begin
    if status:
        sys.exit(f"fetch.py: {command} ended with {status}")
    with open(used) as f:
        cpu, peak = f.read().split()
    return wall, float(cpu), int(peak) / 1024


def digests(folder):
    """SHA-256 of every file of a folder."""
    found = {}
    for name in os.listdir(folder):
        sum_ = hashlib.sha256()
        with open(os.path.join(folder, name), "rb") as f:
            while chunk := f.read(1 << 20):
                sum_.update(chunk)
        found[name] = sum_.hexdigest()
    return found


class Bench:
    """The server, the objects and the clients."""

    def __init__(self, args, folder):
        self.folder = folder
        self.rounds = args.rounds
        self.bin = os.path.join(args.build, "bin")
        self.helpers = os.path.join(args.build, "helpers")
        self.server = os.path.join(os.path.dirname(__file__), "..", "helpers",
                                   "radosgw")
        os.environ["PATH"] = ":".join([self.bin, self.helpers,
                                       os.environ["PATH"]])
        self.null = open(os.devnull, "w")

    def start(self):
        """Starts the server and sets what clients read."""
        rgw = os.path.join(self.folder, "rgw")
        subprocess.run([self.server, "start", rgw], check=True)
        text = subprocess.run(
            ["bash", "-c", f". {rgw}/env; env -0"], check=True,
            stdout=subprocess.PIPE).stdout.decode()
        for line in text.split("\0"):
            key, _, value = line.partition("=")
            if key.startswith(("AWS_", "S3_")):
                os.environ[key] = value
        os.environ.update(S3_ENDPOINT_URL=os.environ["AWS_ENDPOINT_URL"],
                          AWS_EC2_METADATA_DISABLED="true",
                          AWS_DEFAULT_REGION="us-east-1",
                          AWS_CONFIG_FILE="/dev/null",
                          AWS_SHARED_CREDENTIALS_FILE="/dev/null",
                          no_proxy="*")

    def stop(self):
        """Ends the server."""
        subprocess.run([self.server, "stop",
                        os.path.join(self.folder, "rgw")], check=True)

    def path(self, *names):
        """A path in the bench's folder."""
        return os.path.join(self.folder, *names)

    def upload(self):
        """Makes the objects."""
        for name, n, size in (("small", N_SMALL, SMALL), ("big", 1, BIG),
                              ("single", 1, BIG), ("tiny", 1000, 1000)):
            os.makedirs(self.path(name))
            for i in range(n):
                with open(self.path(name, str(i)), "wb") as f:
                    for _ in range(0, size, 1 << 20):
                        f.write(os.urandom(min(size, 1 << 20)))
        subprocess.run(["s3put", "s3://bench"], check=True,
                       stdin=subprocess.DEVNULL)
        if shutil.which("s5cmd"):
            subprocess.run(["s5cmd", "cp", "-p", "8", self.path("big", "0"),
                            "s3://bench/big/0"], check=True, stdout=self.null)
            self.parts = "in parts of 8 MiB"
        else:
            subprocess.run(["s3put", "-r", self.path("big"),
                            "s3://bench/big"], check=True)
            self.parts = "in one piece"
        for name in ("small", "single", "tiny"):
            subprocess.run(["s3put", "-r", self.path(name),
                            f"s3://bench/{name}"], check=True)

    def clients(self):
        """Each client's command for a folder of objects."""
        found = {"a2b-fetch": lambda what, out: [
            "bash", "-c", f"a2b-fetch --list s3://bench/{what} | sed "
            "'s/^{\"uri\":\"//; s/\",.*//' | xargs a2b-fetch -o " + out +
            ("/0" if what != "small" else "")]}
        if shutil.which("s5cmd"):
            found["s5cmd"] = lambda what, out: [
                "s5cmd", "cp", f"s3://bench/{what}/*", out + "/"]
        if importlib.util.find_spec("boto3"):
            found["boto3"] = lambda what, out: [
                sys.executable, "-c", BOTO3, what + "/", out]
        if shutil.which("aws"):
            found["aws-cli"] = lambda what, out: [
                "aws", "--endpoint-url", os.environ["AWS_ENDPOINT_URL"], "s3",
                "cp", "--recursive", "--quiet", f"s3://bench/{what}", out]
        return found

    def compare(self, what):
        """Times all clients on one folder of objects, interleaved."""
        clients = self.clients()
        seen = {name: [] for name in clients}
        want = digests(self.path(what))
        for _ in range(self.rounds):
            for name, command in clients.items():
                out = self.path("out")
                os.makedirs(out)
                seen[name].append(run(command(what, out), stdout=self.null))
                if digests(out) != want:
                    sys.exit(f"fetch.py: {name} brought wrong bytes")
                shutil.rmtree(out)
        medians = {name: [statistics.median(column) for column in zip(*rows)]
                   for name, rows in seen.items()}
        ours = medians["a2b-fetch"]
        print(f"{'':12}{'wall s':>9}{'CPU s':>9}{'MB':>7}"
              f"{'wall/ours':>11}{'CPU/ours':>10}")
        for name, (wall, cpu, peak) in medians.items():
            print(f"{name:12}{wall:9.3f}{cpu:9.3f}{peak:7.0f}"
                  f"{wall / ours[0]:11.2f}{cpu / ours[1]:10.2f}")
        return ours

    def operands(self):
        """The small objects' URIs."""
        return [f"s3://bench/small/{i}" for i in range(N_SMALL)]

    def latency(self):
        """The small objects with a delay before every answer."""
        port, log = self.path("port"), open(self.path("log"), "w")
        proxy = subprocess.Popen(
            ["faultproxy", port, os.environ["S3_PORT"], f"delay={DELAY_MS}"],
            stdin=subprocess.PIPE, stdout=log)
        while not (os.path.exists(port) and os.path.getsize(port)):
            time.sleep(0.01)
        with open(port) as f:
            slow = dict(os.environ,
                        AWS_ENDPOINT_URL=f"http://127.0.0.1:{f.read().strip()}")
        near, far = [], []
        for _ in range(self.rounds):
            for env, times in ((os.environ, near), (slow, far)):
                times.append(run(["a2b-fetch", "-o", self.path("out"),
                                  *self.operands()], env=env)[0])
                shutil.rmtree(self.path("out"))
        proxy.stdin.close()
        proxy.wait()
        near, far = statistics.median(near), statistics.median(far)
        limit = N_SMALL * DELAY_MS / 1000 / TRANSFERS + near
        print(f"{near:.3f} s without delay, {far:.3f} s with it; limit "
              f"{limit:.3f} s; {100 * (far / limit - 1):+.0f} % (aim +20 %)")

    def manifest(self, n):
        """A manifest of n songs with one recording each."""
        path = self.path(f"list{n}")
        with open(path, "w") as f:
            for i in range(n):
                f.write(json.dumps({
                    "dataset": "d", "recording": f"d/{i}/1", "song": str(i),
                    "audio": f"s3://bench/tiny/{i % 1000}",
                    "eda": f"s3://bench/tiny/{(i + 1) % 1000}"}) + "\n")
        return path

    def manifests(self):
        """Peak memory of short and long manifests."""
        for n in (1000, 100_000):
            with open(self.manifest(n)) as lines:
                wall, _, peak = run(["a2b-fetch"], stdin=lines,
                                    stdout=self.null)
            print(f"{n:7} lines to frames:     {wall:7.2f} s{peak:7.1f} MB")
            with open(self.manifest(n)) as lines:
                wall, _, peak = run(
                    ["a2b-fetch", "--prefetch", "--cache", self.path("cache")],
                    stdin=lines)
            print(f"{n:7} lines with --prefetch:{wall:6.2f} s{peak:7.1f} MB")
            shutil.rmtree(self.path("cache"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    # memory rather than a disk, whose speed is not what is compared
    parent = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        os.environ["TMPDIR"] = folder
        bench = Bench(args, folder)
        try:
            bench.start()
            bench.upload()
            print(f"{N_SMALL} objects of {SMALL // 1000} KB")
            bench.compare("small")
            print(f"one object of {BIG >> 20} MiB, uploaded {bench.parts}")
            bench.compare("big")
            print(f"one object of {BIG >> 20} MiB, uploaded in one piece")
            bench.compare("single")
            print(f"{N_SMALL} objects, {DELAY_MS} ms before every answer, "
                  f"{TRANSFERS} transfers")
            bench.latency()
            print("manifests")
            bench.manifests()
        finally:
            bench.stop()


if __name__ == "__main__":
    main()

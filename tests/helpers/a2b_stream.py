"""A second implementation of a2b-stream(5), sharing no code with the first.

    a2b_stream.py check < stream      verifies and lists, exit 0 or 1
    a2b_stream.py write > stream      writes a stream by hand

Only the standard library; XXH3 comes from libxxhash through ctypes.
"""
import ctypes
import ctypes.util
import json
import struct
import sys

XX = ctypes.CDLL(ctypes.util.find_library("xxhash"))
XX.XXH3_64bits.restype = ctypes.c_uint64
XX.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
SIZE = {"U8": 1, "I32": 4, "F32": 4, "F64": 8}


def digest(data):
    """XXH3-64 of bytes."""
    return XX.XXH3_64bits(data, len(data))


def read(f):
    """Yields (metadata, {name: (dtype, shape, bytes)}) and checks it all."""
    digests, size, at_end = [], 0, False
    while head := f.read(8):
        at_end = False
        n = struct.unpack("<Q", head)[0]
        assert 2 <= n <= 1 << 20, "header length"
        text = f.read(n)
        header = json.loads(text)
        meta = header.pop("__metadata__", {})
        data = f.read(max((t["data_offsets"][1] for t in header.values()),
                          default=0))
        frame = head + text + data
        if "a2b.xxh3" in meta:
            got = meta["a2b.xxh3"].encode()
            assert frame.count(got) == 1
            assert int(got, 16) == digest(frame.replace(got, b"0" * 16))
        if meta.get("a2b.kind") == "end":
            assert meta["a2b.status"] == "ok", meta.get("a2b.message")
            assert int(meta["a2b.frames"]) == len(digests)
            assert int(meta["a2b.bytes"]) == size
            whole = b"".join(struct.pack(">Q", d) for d in digests)
            assert int(meta["a2b.digests"], 16) == digest(whole)
            digests, size, at_end = [], 0, True
            continue
        digests.append(int(meta["a2b.xxh3"], 16))
        size += len(frame)
        assert len(frame) % 64 == 0
        yield meta, {k: (t["dtype"], t["shape"],
                         data[slice(*t["data_offsets"])])
                     for k, t in header.items()}
    assert at_end, "no end frame"


def frame(meta, tensors):
    """A canonical frame and its digest."""
    header = {"__metadata__": {"a2b": "1", "a2b.xxh3": "0" * 16, **meta}}
    data = b""
    for name, (dtype, shape, part) in sorted(
            tensors.items(), key=lambda kv: (SIZE[kv[1][0]], kv[0])):
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header, separators=(",", ":"),
                      ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text) + len(data)) % 64)
    raw = struct.pack("<Q", len(text)) + text + data
    value = digest(raw)
    return raw[:47] + b"%016x" % value + raw[63:], value


def write(f):
    """The stream that `ministream tiny` writes, made independently."""
    grid = {"dataset": "d", "song": "s", "rate_num": "10", "rate_den": "1",
            "t0_s": "0"}
    floats = struct.Struct("<8f").pack(*range(8))
    frames = [frame({"key": "d/s", **grid, "preset": "default"}, {"mfcc": ("F32", [4, 2], floats)}),
              frame({"key": "d/s/1", **grid, "recording": "d/s/1"},
                    {"eda": ("F32", [5, 1], struct.pack("<5f", 0, 1, 2, 1, 0)),
                     "valid": ("U8", [5], bytes([1, 1, 1, 1, 0]))})]
    out = b"".join(raw for raw, _ in frames)
    whole = digest(b"".join(struct.pack(">Q", d) for _, d in frames))
    end = frame({"a2b.kind": "end", "a2b.status": "ok",
                 "a2b.frames": str(len(frames)), "a2b.bytes": str(len(out)),
                 "a2b.digests": "%016x" % whole}, {})
    f.write(out + end[0])


if sys.argv[1] == "write":
    write(sys.stdout.buffer)
else:
    for m, t in read(sys.stdin.buffer):
        print(m.get("key", "-"), *(f"{k}:{v[0]}{v[1]}" for k, v in t.items()))

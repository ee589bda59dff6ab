#!/usr/bin/python3
"""Reference splits for tests/unit/test_split.c.

    tests/golden/make_split.py > tests/golden/split.txt

The formulas of a2b-manifest(5) in Python's whole numbers, XXH3-64 from the
shared library.
"""
import ctypes

XXH = ctypes.CDLL("libxxhash.so.0")
XXH.XXH3_64bits.restype = ctypes.c_uint64
XXH.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def xxh3(text):
    """XXH3-64 of a text's UTF-8 bytes."""
    data = text.encode()
    return XXH.XXH3_64bits(data, len(data))


def version():
    """The library's version as text."""
    n = XXH.XXH_versionNumber()
    return f"{n // 10000}.{n // 100 % 100}.{n % 100}"


def main():
    """Prints the table."""
    cases = [(seed, dataset, group)
             for seed in (42, 0, -7)
             for dataset in ("pmemo2019", "hku956")
             for group in ("1", "108", "100083", "108/100083", "é~ 2")]
    print(f"# tests/golden/make_split.py, xxhash {version()}: seed dataset "
          "group, u of the split, split at 0.8 0.1 0.1, shard of 7, shard of "
          "4294967295")
    for seed, dataset, group in cases:
        u = xxh3(f"split:{seed}:{dataset}/{group}") / 2**64
        split = "train" if u < 0.8 else "val" if u < 0.9 else "test"
        s = xxh3(f"shard:{dataset}/{group}")
        print(seed, dataset, group, repr(u), split, s * 7 >> 64,
              s * 4294967295 >> 64, sep="\t")


if __name__ == "__main__":
    main()

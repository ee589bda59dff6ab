#!/usr/bin/python3
"""Reference plans for tests/unit/test_batch.c, in plain Python.

    tests/golden/make_batch.py > tests/golden/batch.txt

Philox4x32-10 after Salmon et al. 2011, bounded integers after Lemire 2019,
the plan after the description at the top of batch.c. A line is
`seed epoch batch_size pool group weight_a weight_b: plan`.
"""
import platform

MASK = 2 ** 32 - 1
ORDER = 2  # the use of random numbers: order of an epoch


def philox(key, counter):
    """Four 32-bit numbers of one block."""
    k0, k1 = key & MASK, key >> 32
    c = list(counter)
    for i in range(10):
        a, b = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(b >> 32) ^ c[1] ^ k0, b & MASK, (a >> 32) ^ c[3] ^ k1, a & MASK]
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c


def numbers(seed, epoch, use):
    """All 32-bit numbers at one position."""
    block = 0
    while True:
        yield from philox(seed, (ORDER, epoch, use, block))
        block += 1


def below(stream, n):
    """Unbiased integer in [0, n)."""
    while True:
        product = next(stream) * n
        if product & MASK >= 2 ** 32 % n:
            return product >> 32


def shuffle(stream, items):
    """Fisher-Yates from the end."""
    items = list(items)
    for i in range(len(items) - 1, 0, -1):
        j = below(stream, i + 1)
        items[i], items[j] = items[j], items[i]
    return items


SONGS = range(9)
LENGTH = [10 + 37 * s % 50 for s in SONGS]
DATASET = ["a" if s < 6 else "b" for s in SONGS]
SONG_OF = [s for s in SONGS for _ in range(1 + s % 2)]


def shares(weights):
    """Draws of each dataset: whole parts, then the largest remainders."""
    n = len(SONG_OF)
    exact = [n * w / sum(weights) for w in weights]
    share = [int(e) for e in exact]
    rank = sorted(range(len(share)), key=lambda k: share[k] - exact[k])
    for k in rank[:n - sum(share)]:
        share[k] += 1
    return share


def take(items, enough):
    """Cuts lists of recordings into runs that reach `enough` each."""
    run, count = [], 0
    for item in items:
        run.append(item)
        count += len(item)
        if count >= enough:
            yield run
            run, count = [], 0
    if run:
        yield run


def plan(seed, epoch, size, pool, group, weights):
    """The batches of an epoch, as lists of recordings."""
    if group:
        units = [[r for r, s in enumerate(SONG_OF) if s == song]
                 for song in SONGS]
    else:
        units = [[r] for r in range(len(SONG_OF))]
    if weights[0]:
        draws = []
        for k, name in enumerate("ab"):
            deck = shuffle(numbers(seed, epoch, 2 + k),
                           [u for u in units
                            if DATASET[SONG_OF[u[0]]] == name])
            want, i = shares(weights)[k], 0
            while want > 0:
                draws.append(deck[i % len(deck)])
                want -= len(draws[-1])
                i += 1
    else:
        draws = units
    draws = shuffle(numbers(seed, epoch, 0), draws)
    turns = numbers(seed, epoch, 1)
    batches = []
    for one in take(draws, pool * size):
        if pool > 1:  # sorted() is stable: ties keep their places
            one = sorted(one, key=lambda u: LENGTH[SONG_OF[u[0]]])
        batches += shuffle(turns, take(one, size))
    return [[r for u in b for r in u] for b in batches]


def main():
    """Writes the plans that the test reads."""
    assert philox(0, (0, 0, 0, 0)) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C,
                                       0x9B00DBD8]  # Random123's kat_vectors
    print("# tests/golden/make_batch.py, Python", platform.python_version())
    for case in ((42, 0, 4, 1, 0, (0, 0)), (42, 1, 4, 2, 0, (0, 0)),
                 (42, 1, 4, 2, 1, (0, 0)), (42, 1, 4, 2, 0, (1, 1)),
                 (42, 2, 3, 1, 1, (1, 3)), (7, 3, 1, 100, 0, (0, 0)),
                 (2 ** 40 + 5, 1000, 5, 1, 1, (0, 0)),
                 (0, 0, 100, 16, 0, (1, 6))):
        text = " | ".join(" ".join(map(str, b)) for b in plan(*case))
        print(*case[:5], *case[5], end=": ")
        print(text, "|")


main()

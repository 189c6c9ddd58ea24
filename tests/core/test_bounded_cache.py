"""Bounded cache: a walk over more keys than fit still finds most of them."""

from entraide_scheduler.core.rules import BoundedCache


def walk(cache: BoundedCache[int], keys: int, rounds: int) -> int:
    """Asks for the keys in turn and keeps what is missing; returns the hits of the last round."""
    hits = 0
    for _ in range(rounds):
        hits = 0
        for key in range(keys):
            if cache.get(key) is None:
                cache.put(key, key)
            else:
                hits += 1
    return hits


def test_it_keeps_at_most_its_size_and_never_a_wrong_value() -> None:
    """What it answers is what was kept under the key, and the number of entries is bounded."""
    cache: BoundedCache[int] = BoundedCache(256)
    walk(cache, 1_000, 3)
    kept = [key for key in range(1_000) if cache.get(key) is not None]

    assert 256 == len(cache) == len(kept)
    assert kept == [cache.get(key) for key in kept]


def test_a_walk_over_more_keys_than_fit_finds_most_of_them() -> None:
    """Least recently used, or cleared when full, it would answer none of these walks."""
    for keys, least in ((256, 256), (300, 180), (400, 120), (512, 60)):
        assert least <= walk(BoundedCache(256), keys, 20)


def test_cleared_it_starts_anew() -> None:
    """Then it has no value, and room for as many as before."""
    cache: BoundedCache[int] = BoundedCache(2)
    for key in range(3):
        cache.put(key, key)
    cache.clear()
    cache.put(7, 7)
    cache.put(8, 8)

    assert [None, 7, 8] == [cache.get(key) for key in (0, 7, 8)]


def test_what_is_needed_stays_while_anything_else_can_go() -> None:
    """A thousand values that nobody needs replace none of those that somebody does."""
    cache: BoundedCache[int] = BoundedCache(64)
    for key in range(1_000):
        cache.put(key, key, lambda value: value < 32)

    assert list(range(32)) == [cache.get(key) for key in range(32)]

"""Sorted keys: the order of a plain sorted list, in parts that stay short."""

import random
from math import inf

import pytest

from entraide_scheduler.core.fair_queue.sorted_keys import PART_MAX, SortedKeys


def key(number: int, *, deadline: float = inf) -> tuple:
    return True, deadline, number, None


@pytest.mark.parametrize("seed", range(4))
def test_keys_are_in_order_whatever_comes_and_goes(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any history the keys, the first and each position are those of a sorted list."""
    monkeypatch.setattr("entraide_scheduler.core.fair_queue.sorted_keys.PART_MAX", 4)
    draw, keys, plain = random.Random(seed), SortedKeys(), []
    for number in range(400):
        if plain and draw.random() < 0.45:
            gone = plain[0] if draw.random() < 0.5 else draw.choice(plain)
            if gone == plain[0]:
                keys.remove_first()
            else:
                keys.remove(gone)
            plain.remove(gone)
        else:
            new = key(number, deadline=draw.choice((inf, inf, float(draw.randint(0, 99)))))
            keys.add(new)
            plain.append(new)
            plain.sort()

        assert plain == [each for part in keys.parts for each in part]
        assert len(plain) == len(keys)
        assert list(range(len(plain))) == [keys.count_before(each) for each in plain]
        assert all(0 < len(part) <= 4 for part in keys.parts)


def test_a_move_in_a_long_queue_touches_one_short_part() -> None:
    """Of a hundred thousand keys, those that come or go in the middle move no more than a part."""
    keys = SortedKeys()
    for number in range(0, 200_000, 2):
        keys.add(key(number))
    for number in range(100_001, 102_001, 2):
        keys.add(key(number))
        keys.remove(key(number - 1))

    assert 100_000 == len(keys)
    assert max(map(len, keys.parts)) <= PART_MAX

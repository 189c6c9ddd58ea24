"""Blocks of prompts from a journal, which says only how many tokens were warm."""

from msgspec.structs import replace
from tests.core.builders import facts

from entraide_sim.recordings import BLOCK_TOKENS, RecordedPrefixes


def test_a_warm_request_begins_like_its_senders_latest_one() -> None:
    """By as many whole blocks as some node had read; a cold one, and another sender's, do not."""
    prefixes = RecordedPrefixes()
    asked = facts("j1", session="s", warm=())
    held = (("n1", 2 * BLOCK_TOKENS + 9), ("n2", 3))
    first = prefixes.restore(asked, 4 * BLOCK_TOKENS).prefix_keys
    again = prefixes.restore(replace(asked, warm=held), 5 * BLOCK_TOKENS)
    other = prefixes.restore(replace(asked, warm=held, coop="beta"), 4 * BLOCK_TOKENS).prefix_keys
    cold = prefixes.restore(asked, 4 * BLOCK_TOKENS).prefix_keys

    assert (4, 5, 4, 4) == (len(first), len(again.prefix_keys), len(other), len(cold))
    assert first[:2] == again.prefix_keys[:2]
    assert 15 == len({*first, *again.prefix_keys, *other, *cold})
    assert None is again.warm


def test_a_request_that_may_not_be_reused_stays_as_it_is() -> None:
    """It has no blocks, and takes none from others."""
    asked = facts("j1")

    assert asked is RecordedPrefixes().restore(asked, 4 * BLOCK_TOKENS)

"""Partitions and the digests of prompts: fixed values, and what must never be the same."""

from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import json
from tests.cases import all_cases

from entraide.types import account_of
from entraide.wire.messages import OWNER_BYTES, PARTITION_BYTES
from entraide_scheduler.gateway.jobs.partitions import Asker, Partitions, join_fields
from entraide_scheduler.gateway.jobs.prefix_digests import (
    BLOCK_BYTES,
    BLOCK_BYTES_MIN,
    BLOCKS_MAX,
    KEYS_MAX,
    digest_parts,
    list_prefix_keys,
)
from entraide_scheduler.gateway.refusals import Refused
from entraide_scheduler.gateway.requests import REQUESTS, openai

SEALING_KEY = bytes(range(32))
POOL = Partitions(SEALING_KEY)
NODE, OTHER_NODE = "U" + "A" * 55, "U" + "B" * 55
NOW = 1_790_000_000.0  # day 20,717
DAY_S = 86_400.0
ASKER = Asker("boreale", "person-0123456789ab.9f3a1c2b", '["ana",null,null]', '"dossier-7"')
KEY = b"k" * 32

# Computed once with the standard library's ``hmac`` from the module's description. Another value
# separates the gateways of two versions, and nodes read all prompts again.
GOLDEN_OWNER = "b8a9f5173466c1eec2154748c0aeac1e"
GOLDEN_PARTITION = "b8a9f5173466c1eec2154748c0aeac1e867d68bce0fee89074323550b2b7e36c"
GOLDEN_DIGEST_KEY = "2945a0eb97f76f5b7e69019637ff2cb0fbb2c2178f16171cc98a527a7070a5bb"
GOLDEN_DIGESTS = (2383660094080973195, 2824346654209989520, 5450362012630962342)

fields = st.lists(st.text(max_size=8), max_size=5)


def test_golden_values() -> None:
    """Partitions stay what they were: a node holds states across a gateway's upgrade."""
    partition = POOL.make_partition(NODE, ASKER, NOW)

    assert GOLDEN_PARTITION == partition.hex()
    assert GOLDEN_OWNER == POOL.make_owner(NODE, "person-0123456789ab", NOW).hex()
    assert GOLDEN_DIGEST_KEY == POOL.make_digest_key(ASKER, NOW).hex()
    assert GOLDEN_DIGESTS == digest_parts(b'"m"', [b"x" * 300, b"y" * 40, b"z"], KEY)
    assert (PARTITION_BYTES, OWNER_BYTES) == (len(partition), len(GOLDEN_OWNER) // 2)


@given(fields, fields)
def test_no_two_lists_of_fields_are_the_same_bytes(one: list[str], other: list[str]) -> None:
    """A field cannot take over a part of its neighbour."""
    assert (join_fields(*one) == join_fields(*other)) == (one == other)


askers = st.builds(Asker, *[st.sampled_from(["", "a", "b", "ab", "ba", "aba"])] * 4)
places = st.tuples(st.sampled_from([NODE, OTHER_NODE]), askers, st.integers(20_000, 20_003))


@given(places, places)
@example((NODE, Asker("c", "k", "a", "b"), 20_000), (NODE, Asker("c", "k", "ab", ""), 20_000))
@example((NODE, Asker("c", "k"), 20_000), (OTHER_NODE, Asker("c", "k"), 20_000))
@example((NODE, Asker("c", "k.1", "a", "b"), 20_000), (NODE, Asker("c", "k.2", "a", "b"), 20_000))
def test_a_partition_is_of_one_node_day_and_asker(
    one: tuple[str, Asker, int], other: tuple[str, Asker, int]
) -> None:
    """Two askers, two nodes, or two days never have a partition in common."""
    partitions = [
        POOL.make_partition(node, asker, day * DAY_S) for node, asker, day in (one, other)
    ]

    assert (partitions[0] == partitions[1]) == (one == other)
    owners = [(node, account_of(asker.sender), day) for node, asker, day in (one, other)]
    halves = [partition[:OWNER_BYTES] for partition in partitions]
    assert (halves[0] == halves[1]) == (owners[0] == owners[1])


@all_cases(
    "asker",
    [
        Asker("boreale", "person-0123456789ab.0a0b0c0d", ASKER.user, ASKER.cache_key),
        Asker("boreale", ASKER.sender, '["bob",null,null]', ASKER.cache_key),
        Asker("boreale", ASKER.sender, ASKER.user, ""),
    ],
    ids=["another start", "another user", "no cache key"],
)
def test_parts_of_one_person_are_apart_but_have_one_owner(asker: Asker) -> None:
    """What a person may not read of another start has no cache in common; all can be forgotten."""
    first, second = (POOL.make_partition(NODE, each, NOW) for each in (ASKER, asker))

    assert first[:OWNER_BYTES] == second[:OWNER_BYTES]
    assert first[OWNER_BYTES:] != second[OWNER_BYTES:]
    assert POOL.make_digest_key(ASKER, NOW) != POOL.make_digest_key(asker, NOW)


@all_cases("days", [-1, 0, 1, 2])
def test_a_person_is_forgotten_for_each_day_of_which_a_node_may_hold_prompts(days: int) -> None:
    """A state of yesterday's run has yesterday's owner; a gateway's clock may be ahead."""
    owners = list(POOL.list_owners(NODE, "key-0123456789ab", NOW))
    held = POOL.make_partition(NODE, Asker("boreale", "key-0123456789ab"), NOW - days * DAY_S)

    assert held[:OWNER_BYTES] in owners
    assert len(owners) == len(set(owners))


def test_another_pool_has_other_partitions() -> None:
    """The secret is the pool's."""
    other = Partitions(bytes(32))

    assert other.make_partition(NODE, ASKER, NOW) != POOL.make_partition(NODE, ASKER, NOW)


# Digests of prompts.

texts = st.lists(st.binary(min_size=BLOCK_BYTES_MIN, max_size=400), min_size=1, max_size=4)


@given(texts, texts)
def test_prompts_have_the_digests_of_their_common_beginning(
    common: list[bytes], rest: list[bytes]
) -> None:
    """A conversation that goes on has all digests of its former turn first, and no others."""
    turn = digest_parts(b"m", common, KEY)
    later = digest_parts(b"m", common + rest, KEY)
    other = digest_parts(b"m", [b"\x00" + common[0], *common[1:]], KEY)

    assert all(0 <= key < 2**63 for key in later)
    assert turn == later[: len(turn)]
    assert not set(turn) & set(other)
    assert not set(turn) & set(digest_parts(b"m", common, b"q" * 32))
    assert not set(turn) & set(digest_parts(b"n", common, KEY))


def test_a_long_text_has_larger_blocks() -> None:
    """The number of digests is bounded, whatever is sent."""
    most = BLOCK_BYTES * BLOCKS_MAX

    assert BLOCKS_MAX == len(digest_parts(b"m", [b"x" * most], KEY))
    assert BLOCKS_MAX // 2 + 1 == len(digest_parts(b"m", [b"x" * (most + 1)], KEY)) + 1
    assert KEYS_MAX >= len(digest_parts(b"m", [b"y" * 33] * 20_000, KEY)) > 0


@dataclass
class _Sent:
    path: str
    fields: dict[str, object]

    def keys(self, **more: object) -> tuple[int, ...]:
        parsed = openai.parse_request(self.path, json.encode({**self.fields, **more}))
        return list_prefix_keys(parsed.request, KEY)


LONG = "Il était une fois une coopérative. " * 40
TURNS = [{"role": "user", "content": LONG}]
CHAT = _Sent("/v1/chat/completions", {"model": "m", "messages": TURNS})


def test_a_chat_begins_with_its_tools() -> None:
    """A conversation with other tools, or of another model, is another one from the start."""
    more = [*TURNS, {"role": "assistant", "content": "Oui."}, {"role": "user", "content": "Et ?"}]
    tool = {"type": "function", "function": {"name": "lire", "description": LONG}}
    first = CHAT.keys()

    assert first == CHAT.keys(messages=more)[: len(first)] != ()
    assert not set(first) & set(CHAT.keys(tools=[tool]))
    assert not set(first) & set(CHAT.keys(model="n"))
    assert first == CHAT.keys(temperature=0.5, max_tokens=7)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/completions", {"model": "m", "prompt": "a"}),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": ""}]}),
        ("/v1/messages", {"model": "m", "max_tokens": 9, "messages": TURNS}),
        ("/v1/responses", {"model": "m", "input": LONG}),
    ],
)
def test_a_request_for_text_has_a_digest(path: str, fields: dict[str, object]) -> None:
    """No digest means that nothing may be kept, which no short request says by itself."""
    assert _Sent(path, fields).keys()


def test_embeddings_have_none() -> None:
    """Nothing of a text that is only measured is read again."""
    assert () == _Sent("/v1/embeddings", {"model": "m", "input": LONG}).keys()


@all_cases(
    ("path", "fields", "separate"),
    [
        ("/v1/chat/completions", {"user": "ana"}, ('["ana",null,null]', "")),
        ("/v1/chat/completions", {"user": "", "prompt_cache_key": 7}, ('["",null,null]', "7")),
        ("/v1/responses", {"safety_identifier": "ana"}, ('[null,"ana",null]', "")),
        ("/v1/messages", {"metadata": {"user_id": "ana"}}, ('[null,null,"ana"]', "")),
        ("/v1/messages", {"metadata": {"other": 1}}, ("", "")),
        ("/v1/messages", {"metadata": [1]}, ("", "")),
        ("/v1/completions", {"user": {"b": 1, "a": 2}}, ('[{"a":2,"b":1},null,null]', "")),
        ("/v1/chat/completions", {"user": None, "metadata": {"user_id": "x"}}, ("", "")),
    ],
)
def test_users_and_cache_keys_of_each_format(
    path: str, fields: dict[str, object], separate: tuple[str, str]
) -> None:
    """Whom a program names as its user, in each format; a value of any type is accepted."""
    own = {
        "/v1/completions": {"prompt": "a"},
        "/v1/responses": {"input": "a"},
        "/v1/messages": {"messages": TURNS, "max_tokens": 9},
    }.get(path, {"messages": TURNS})
    parsed = openai.parse_request(path, json.encode({"model": "m", **own, **fields}))

    assert separate == (parsed.user, parsed.cache_key)


@all_cases("name", ["cache_salt", "id_slot", "cache_prompt", "n_cache_reuse"])
@all_cases("path", openai.PATHS)
def test_no_client_chooses_its_cache(path: str, name: str) -> None:
    """An engine's own field of its cache is refused, and could not reach it."""
    fields = {
        "model": "m", "messages": TURNS, "prompt": "a", "input": "a", "max_tokens": 9, name: 1,
    }  # fmt: skip
    known = REQUESTS[path].__struct_fields__
    sent = {key: value for key, value in fields.items() if key in known or key == name}

    with pytest.raises(Refused) as refused:
        openai.parse_request(path, json.encode(sent))

    assert name == refused.value.refusal.values["param"]


def test_anthropic_clients_may_mark_what_to_keep() -> None:
    """``cache_control`` is accepted wherever such a client writes it, and changes no digest."""
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    block = {"type": "text", "text": LONG}
    tool = {"name": "lire", "input_schema": {"type": "object"}}
    plain = {
        "model": "m", "max_tokens": 9, "system": [block],
        "messages": [{"role": "user", "content": [block]}],
        "tools": [tool],
    }  # fmt: skip
    marked = {
        **plain, **mark, "system": [block | mark],
        "messages": [{"role": "user", "content": [block | mark]}],
        "tools": [tool | mark],
    }  # fmt: skip

    assert _Sent("/v1/messages", plain).keys() == _Sent("/v1/messages", marked).keys() != ()

"""What is sent arrives, and what was sent by an older version is still understood."""

import re

import msgspec
import pytest
from msgspec import structs
from tests.cases import all_cases
from tests.contract.samples import DOORS, OFFERING, RUNS, SAMPLES, TERMS, decoder, kinds, tag
from tests.house.source import ROOT

from entraide.types import Control, SurplusEvidence
from entraide.wire import codec
from entraide.wire import messages as m
from entraide.wire.cards import QuotaLeft

# Bytes as the first release sends them, in hexadecimal. From that release on, a line is only added.
GOLDEN: dict[str, str] = msgspec.json.decode(
    (ROOT / "tests/contract/golden.json").read_bytes(), type=dict[str, str]
)
PROTOCOL_PAGE = ROOT / "docs/reference/protocol.md"

every_sample = all_cases("message", SAMPLES, ids=tag)


@every_sample
def test_there_and_back(message: m.Message) -> None:
    """A message is the same after the way over the wire."""
    assert message == decoder(message).decode(codec.encode(message))


def test_what_a_node_could_load_travels_with_its_card() -> None:
    """What a node could load, and its terms, arrive with its card."""
    hello = m.Hello(OFFERING, "boot-1", 1, 1_000.125, True, "", RUNS, m.PROTOCOL)

    assert hello == codec.node_up.decode(codec.encode(hello))


@pytest.mark.parametrize("kind", ["placed", "refused"])
def test_what_quotas_leave_travels_with_a_decision(kind: str) -> None:
    """A gateway hears what its headers say."""
    message = next(message for message in SAMPLES if tag(message) == kind)
    left = (QuotaLeft("requests", 50, 7, 12.5),)
    stated = structs.replace(message, quotas=left)

    assert stated == decoder(stated).decode(codec.encode(stated))


def test_a_resumed_run_names_the_seam() -> None:
    """A run says where an answer continues."""
    message = next(message for message in SAMPLES if isinstance(message, m.StartRun))
    resumed = structs.replace(message, resume=m.Resume(tokens=12, created=1_700, characters=40))

    assert resumed == codec.node_in.decode(codec.encode(resumed))


def test_a_run_names_its_partition() -> None:
    """A node hears whose reading it may use again, and how long it may keep it."""
    message = next(message for message in SAMPLES if isinstance(message, m.StartRun))
    kept = structs.replace(message, partition=b"\x01" * 32, prefix_keep_s=900.0)

    assert (b"", 0.0) == (message.partition, message.prefix_keep_s)
    assert kept == codec.node_in.decode(codec.encode(kept))


@all_cases(
    "message",
    [
        m.StartRun("j", 1, "g", "/", "m", False, b"", partition=b"1" * 33),
        m.StartRun("j", 1, "g", "/", "m", False, b"", prefix_keep_s=86_401.0),
        m.ForgetPartition(b"1" * 15),
        m.ForgetPartition(b"1" * 17),
    ],
    ids=["a long partition", "kept for days", "part of an owner", "more than an owner"],
)
def test_a_partition_out_of_bounds_is_refused(message: m.NodeIn) -> None:
    """A partition has a size, and a state's time a maximum."""
    with pytest.raises(msgspec.ValidationError):
        codec.node_in.decode(codec.encode(message))


@all_cases("number", [-1, m.RESUMED_MAX + 1, 1.5, None])
@all_cases("field", m.Resume.__struct_fields__)
def test_a_seam_out_of_bounds_is_refused(field: str, number: float | None) -> None:
    """A count that no answer can have does not reach the node."""
    message = next(message for message in SAMPLES if isinstance(message, m.StartRun))
    seam = structs.replace(m.Resume(12, 1_700, 40), **{field: number})

    with pytest.raises(msgspec.ValidationError):
        codec.node_in.decode(codec.encode(structs.replace(message, resume=seam)))


@pytest.mark.parametrize(
    "stated_value", [Control.MEMBER, SurplusEvidence.CONTRACT], ids=["control", "evidence"]
)
def test_terms_without_a_vouched_value_keep_their_bytes(
    stated_value: Control | SurplusEvidence,
) -> None:
    """A default is not sent, so that a message without the value keeps its bytes."""
    name = "controlled_by" if isinstance(stated_value, Control) else "surplus_evidence"
    placed = next(message for message in SAMPLES if tag(message) == "placed")
    stated = structs.replace(placed, terms=structs.replace(TERMS, **{name: stated_value}))

    assert name not in msgspec.to_builtins(TERMS)
    assert stated_value.value == msgspec.to_builtins(stated.terms)[name]
    assert stated == decoder(stated).decode(codec.encode(stated))


@every_sample
def test_old_bytes_are_understood(message: m.Message) -> None:
    """Bytes kept from the first release decode to what was meant then."""
    assert message == decoder(message).decode(bytes.fromhex(GOLDEN[tag(message)]))


@every_sample
def test_a_message_is_an_array_that_begins_with_its_tag(message: m.Message) -> None:
    """The tag identifies a message without knowledge of its fields."""
    assert tag(message) == msgspec.msgpack.decode(codec.encode(message))[0]


@every_sample
def test_fields_of_a_newer_version_are_ignored(message: m.Message) -> None:
    """A field that a newer version added at the end does no harm."""
    newer = msgspec.msgpack.encode([*msgspec.msgpack.decode(codec.encode(message)), "new"])

    assert message == decoder(message).decode(newer)


def test_every_message_has_a_sample_and_old_bytes() -> None:
    """No message is left out of these tests."""
    tags = {tag(kind) for _, union in DOORS.values() for kind in kinds(union)}

    assert tags == {tag(message) for message in SAMPLES}
    assert tags == set(GOLDEN)


def test_tags_are_unique() -> None:
    """A tag means one thing in the whole protocol."""
    tags = [tag(message) for message in SAMPLES]

    assert sorted(set(tags)) == sorted(tags)


@all_cases("door", DOORS)
def test_a_door_refuses_the_messages_of_others(door: str) -> None:
    """A message on a subject where it does not belong is not decoded."""
    opened, union = DOORS[door]
    others = [message for message in SAMPLES if type(message) not in kinds(union)]

    for message in others:
        with pytest.raises(msgspec.DecodeError):
            opened.decode(codec.encode(message))


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x91\xa5hello", b"\x90", b"\xff" * 64])
def test_nonsense_is_refused(raw: bytes) -> None:
    """Bytes that are no message raise the one error that receivers expect."""
    for opened, _ in DOORS.values():
        with pytest.raises(msgspec.DecodeError):
            opened.decode(raw)


@pytest.mark.checkout
def test_the_page_lists_every_message() -> None:
    """The protocol's page has a line for each message, by its tag, and no line for another."""
    listed = re.findall(r"^\| `([a-z-]+)` \|", PROTOCOL_PAGE.read_text("utf-8"), re.M)

    assert sorted(tag(message) for message in SAMPLES) == sorted(listed)


@pytest.mark.checkout
def test_the_page_lists_every_field() -> None:
    """Each message's line names its fields in the order of the wire."""
    lines = PROTOCOL_PAGE.read_text("utf-8").splitlines()
    for message in SAMPLES:
        fields = ", ".join(field.name for field in msgspec.structs.fields(message))
        line = next(x for x in lines if x.startswith(f"| `{tag(message)}` |"))

        assert fields == line.split("|")[2].strip().strip("`").replace("—", "")

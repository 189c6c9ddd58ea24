"""The signature of a request to join: it holds for that request and for no other."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from entraide.wire.enrolment import JoinRequest
from entraide.wire.enrolment_signature import SIGNATURE, _signed, is_genuine, sign
from entraide.wire.nats import new_user_key

SEED, PUBLIC = new_user_key()
REQUEST = JoinRequest(
    token="join_abc", node_public_key=PUBLIC, node_name="mini", site="Montréal", zone="CA-QC",
    sealing_public_key="A" * 43 + "=",
)  # fmt: skip
SIGNED = sign(REQUEST, seed=SEED)
FIELDS = [name for name in JoinRequest.__struct_fields__ if name != SIGNATURE]
WORDS = st.text(max_size=8)


def test_a_machines_own_request_is_genuine() -> None:
    """Also once it has travelled as JSON."""
    travelled = msgspec.json.decode(msgspec.json.encode(SIGNED), type=JoinRequest)

    assert is_genuine(travelled)


@given(st.sampled_from(FIELDS), WORDS)
def test_no_field_may_be_changed(field: str, other: str) -> None:
    """Nor may one be emptied, or filled that was empty."""
    changed = replace(SIGNED, **{field: other})

    assert (getattr(SIGNED, field) == other) == is_genuine(changed)


@given(
    *[st.fixed_dictionaries(dict.fromkeys(FIELDS, WORDS))] * 2,
)
def test_no_two_requests_have_the_same_bytes(left: dict[str, str], right: dict[str, str]) -> None:
    """What ends one field cannot begin the next one."""
    first, second = JoinRequest(**left), JoinRequest(**right)

    assert (asdict(first) == asdict(second)) == (_signed(first) == _signed(second))


def test_a_signature_that_is_none() -> None:
    """Neither a missing one, nor another key's, nor bytes of another form."""
    other_seed, _ = new_user_key()
    wrong = [
        REQUEST,
        sign(REQUEST, seed=other_seed),
        replace(SIGNED, signature="é"),
        replace(SIGNED, signature=SIGNED.signature[:-4]),
        replace(SIGNED, node_public_key=new_user_key()[1]),
        replace(SIGNED, node_public_key="U"),
        replace(SIGNED, node_public_key="é"),
    ]

    assert not any(map(is_genuine, wrong))

"""A field is named once: whatever copies, compares, shows or converts a struct walks its fields."""

import json
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

import msgspec
from google.protobuf.message import Message
from msgspec import Struct
from tests.house.source import ROOT
from tests.house.test_bounds import structs_in

from entraide import statements
from entraide.models import TaskQuality
from entraide.settlements import ComparedModel, Receipt, ReceiptRun, ServerPlace
from entraide.types import Candidate, Exclusion, Explanation, NodeCard, RequestFacts
from entraide.v1 import admin_pb2, common_pb2, enrolment_pb2, pool_pb2
from entraide.wire import cards, enrolment
from entraide.wire import messages as m
from entraide_scheduler.core import commands, events, records, views
from entraide_scheduler.core.policy import CoopTerms, Lend, Policy, Quota

CHILD = "tests.house.extended_structs"

# The protobuf message of a struct, and why a name is in one of them alone.
MESSAGES: Mapping[type[Struct], tuple[type[Message], Mapping[str, str]]] = MappingProxyType(
    {
        CoopTerms: (
            admin_pb2.Coop,
            dict.fromkeys(("balance_tokens", "balance_wh", "balance_gco2e"), "of the ledger")
            | dict.fromkeys(("author", "reason"), "who signs the change, and why"),
        ),
        Quota: (admin_pb2.Quota, {"used": "of the present period"}),
        Lend: (admin_pb2.Lend, {"limited": "tells 0 Wh from no limit"}),
        statements.Amounts: (admin_pb2.Amounts, {}),
        statements.UsageLine: (admin_pb2.UsageLine, {}),
        statements.Statement: (admin_pb2.Statement, {}),
        enrolment.JoinRequest: (enrolment_pb2.JoinRequest, {}),
        enrolment.JoinResponse: (enrolment_pb2.JoinResponse, {}),
        cards.ModelCard: (pool_pb2.Model, {}),
        TaskQuality: (pool_pb2.TaskQuality, {}),
        ServerPlace: (common_pb2.ServerPlace, {}),
        ReceiptRun: (common_pb2.ReceiptRun, {}),
        ComparedModel: (common_pb2.ComparedModel, {}),
        Receipt: (
            common_pb2.Receipt,
            {"usage": "the counts of tokens, together"}
            | dict.fromkeys(
                (
                    "input_tokens",
                    "cached_tokens",
                    "output_tokens",
                    "tokens_basis",
                    "reasoning_tokens",
                ),
                "in usage",
            ),
        ),
        Candidate: (
            common_pb2.Candidate,
            dict.fromkeys(("energy_uwh", "carbon_ug"), "the core's unit")
            | dict.fromkeys(("energy_wh", "carbon_gco2e"), "the clients' unit"),
        ),
        Exclusion: (common_pb2.Exclusion, {"sentence": "of the rule, in the caller's language"}),
        Explanation: (
            common_pb2.Explanation,
            {"sentence": "of the reason, in the caller's language", "epoch": "the core's own"},
        ),
    }
)


def extended_names() -> list[str]:
    """The structs to extend, each ``MODULE:CLASS``.

    They are found in the annotations of the policy, of a node's card, and of what the core, the
    scheduler and the gateways tell each other.
    """
    kinds = structs_in(Policy) | structs_in(NodeCard) | {RequestFacts, records.Shape}
    for union in (m.GatewayUp, m.GatewayDown, commands.Command, events.Event):
        kinds |= set(get_args(union))
    kinds |= {cards.ModelCard, views.ModelView, cards.EarlierRun, records.EarlierRun}
    return sorted(f"{kind.__module__}:{kind.__name__}" for kind in kinds)


def test_an_added_field_arrives_everywhere() -> None:
    """A field added to any struct of policy, card or request survives each copy and is shown."""
    command = [sys.executable, "-m", CHILD, *extended_names()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    assert "" == done.stderr
    assert [] == json.loads(done.stdout)


def unmatched(struct: type[Struct], message: type[Message]) -> set[str]:
    """The names of fields that only one of a struct and its protobuf message has."""
    return set(struct.__struct_fields__) ^ set(message.DESCRIPTOR.fields_by_name)


def test_a_message_has_the_fields_of_its_struct() -> None:
    """Each field of a struct has a protobuf field of its name, or a reason why it has none."""
    assert {kind: set(reasons) for kind, (_, reasons) in MESSAGES.items()} == {
        kind: unmatched(kind, message) for kind, (message, _) in MESSAGES.items()
    }


def test_a_field_without_a_protobuf_field_is_found() -> None:
    """A field that is added to a struct and not to its message is one too many."""
    extended: Any = msgspec.defstruct("Lend", [("added", int, 0)], bases=(Lend,), frozen=True)

    assert {"added"} == unmatched(extended, admin_pb2.Lend) - unmatched(Lend, admin_pb2.Lend)


def test_each_struct_of_the_policy_with_a_message_is_compared() -> None:
    """A struct of the policy or of a card that has a message of its name is in the table."""
    names = {
        name
        for module in (admin_pb2, common_pb2, enrolment_pb2, pool_pb2)
        for name in module.DESCRIPTOR.message_types_by_name
    }
    kinds = structs_in(Policy) | structs_in(NodeCard)

    assert set() == {kind for kind in kinds if kind.__name__ in names} - set(MESSAGES)

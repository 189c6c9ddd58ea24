"""People read a co-op's name in the commands' sentences; JSON keeps its identifier."""

import base64
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from tests.contract.samples import RECEIPT
from tests.sdk import mock_answers
from tests.sdk.conftest import Cli, ServedPool

from entraide import i18n
from entraide.client import _convert
from entraide.coop_names import shown_name, typed_name, with_word
from entraide.receipts import Verdict, verify
from entraide.types import ReceiptRun
from entraide.v1 import admin_pb2
from entraide_scheduler.gateway.jobs import ReceiptSigner
from entraide_scheduler.gateway.rpc.pool_messages import receipt_message

NAMES = {"soleil": "Coop Soleil", "pre": "Le Pré"}
SIGNER = ReceiptSigner(Ed25519PrivateKey.from_private_bytes(b"\x09" * 32))
KEYS = {SIGNER.public_key.id: SIGNER.public_key}
NAMED = replace(RECEIPT, coop_names={"soleil": "Coop Soleil"})


@pytest.fixture
def named_receipts() -> Iterator[None]:
    """The scripted pool's receipts have the name of the machine's co-op."""
    mock_answers.RECEIPT.coop_names["soleil"] = "Coop Soleil"
    yield
    mock_answers.RECEIPT.coop_names.clear()


def test_a_co_op_without_a_name_is_called_by_its_identifier() -> None:
    """Where a person must type the identifier, it stands beside the name."""
    assert ["Coop Soleil", "other"] == [shown_name(coop, NAMES) for coop in ("soleil", "other")]
    assert ["Le Pré (pre)", "other"] == [typed_name(coop, NAMES) for coop in ("pre", "other")]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Les Abeilles", "coop Les Abeilles"),
        ("Coop Boréale", "Coop Boréale"),
        ("coop-du-nord", "coop-du-nord"),
        ("COOPÉRATIVE du Nord", "COOPÉRATIVE du Nord"),
        ("Prairie Co-op", "Prairie Co-op"),
        ("The Prairie Cooperative", "coop The Prairie Cooperative"),
        ("L’Abeille coop", "coop L’Abeille coop"),
        ("Coopérateurs réunis", "coop Coopérateurs réunis"),
        ("Scoop", "coop Scoop"),
        ("", "coop "),
    ],
)
def test_the_word_for_a_co_op_is_said_once(name: str, shown: str) -> None:
    """A name that has the word is not preceded by it, unless an article begins the name."""
    assert shown == with_word(name, "coop")


@pytest.mark.parametrize(
    ("lang", "named", "other"),
    [("fr", "(Coop Soleil)", "(coop soleil)"), ("en", "(Coop Soleil)", "(co-op soleil)")],
)
def test_a_receipts_line_has_the_name(lang: str, named: str, other: str) -> None:
    """So do the lines on machines that began an answer; without a name it is as before."""
    run = ReceiptRun("qc-1", "pre", "b", "CA-QC", "e", 3, 0.1, RECEIPT.energy_basis, 0.1, 0.1, "x")
    runs = replace(NAMED, runs=(run, run), coop_names=NAMES)

    assert named in i18n.receipt_line(NAMED, lang)
    assert other in i18n.receipt_line(RECEIPT, lang)
    assert f"({'coop' if lang == 'fr' else 'co-op'} Le Pré, 3" in i18n.earlier_runs_line(runs, lang)


def test_the_name_is_signed_with_the_rest() -> None:
    """A name that was put in, changed or taken out makes the receipt false; gRPC keeps it."""
    signed, bare = SIGNER.sign(NAMED), SIGNER.sign(RECEIPT)

    assert [Verdict.GENUINE] * 2 == [verify(each, KEYS) for each in (signed, bare)]
    assert [Verdict.ALTERED] * 3 == [
        verify(replace(receipt, coop_names=names), KEYS)
        for receipt, names in ((signed, {}), (signed, {"soleil": "x"}), (bare, NAMES))
    ]
    assert signed == _convert.receipt(receipt_message(signed))


def test_commands_about_answers_say_the_name(
    served: ServedPool, cli: Cli, named_receipts: None, tmp_path: Path
) -> None:
    """``chat``, ``embed``, ``jobs show`` and ``receipts verify`` in both languages."""
    keys, receipt = tmp_path / "keys.json", tmp_path / "receipt.json"
    public = base64.b64decode(SIGNER.public_key.ed25519)
    key = {"id": SIGNER.public_key.id, "ed25519": base64.b64encode(public).decode()}
    keys.write_bytes(msgspec.json.encode({"receipt_keys": [key]}))
    receipt.write_bytes(msgspec.json.encode(SIGNER.sign(NAMED)))
    state = ["--state", str(served.state)]
    commands = (
        ["chat", "Bonjour", *state], ["embed", "Bonjour", *state],
        ["jobs", "show", "job-1", *state],
        ["receipts", "verify", str(receipt), "--keys", str(keys)],
    )  # fmt: skip
    said = [cli([*command, "--lang", lang]).out for command in commands for lang in ("fr", "en")]

    assert [] == [text for text in said if "(Coop Soleil" not in text]
    assert [] == [text for text in said if "soleil" in text]
    assert '"node_coop": "soleil"' in cli(["jobs", "show", "job-1", *state, "--json"]).out


def test_the_operators_commands_say_the_name(served: ServedPool, cli: Cli) -> None:
    """An invitation, a token, a plan of models and a co-op that leaves are told by name."""
    served.admin.coop = admin_pb2.Coop(coop="soleil", name="Le Soleil", shares=1.0)
    served.admin.plan = admin_pb2.ModelPlan(at=1.0)
    where = {"node": "on-1", "coop": "soleil", "zone": "CA-ON", "model": "petit"}
    served.admin.plan.steps.add(load=True, reason="waiting", **where)
    served.admin.plan.orders.add(state="loaded", since=1.0, memory_bytes=10**9, **where)
    state = ["--state", str(served.state), "--lang", "en"]
    invited = cli(["invite", "soleil", *state]).err
    token = cli(["nodes", "token", "--coop", "soleil", *state]).err
    plan = cli(["models", "place", "--dry-run", *state]).out
    removed = cli(["coops", "remove", "soleil", "--yes", *state]).out

    assert "One machine of Le Soleil joins" in invited
    assert "One-time token for Le Soleil, " in token
    assert 2 == plan.count("on-1 (co-op Le Soleil, Ontario)")
    assert removed.startswith("Le Soleil (soleil) is no member any more")
    assert '"coop": "soleil"' in cli(["models", "place", "--dry-run", *state, "--json"]).out

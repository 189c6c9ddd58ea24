"""The operator's commands on machines and co-ops: inviting, approving, revoking, forgetting."""

import io
import json
import re

import pytest
from tests.cases import all_cases
from tests.sdk.conftest import Cli, ServedPool


def test_nodes_are_revoked_and_approved(served: ServedPool, cli: Cli) -> None:
    """A machine is cut off, and let in again; one that does not exist is said so."""
    state = ["--state", str(served.state)]

    assert "révoqué" in cli(["nodes", "revoke", "on-1", *state]).out
    assert "revoked" == served.admin.approval
    assert "approuvé" in cli(["nodes", "approve", "on-1", *state]).out
    assert "«\u00a0absent\u00a0»" in cli(["nodes", "revoke", "absent", *state]).err


def test_a_node_is_forgotten_after_it_was_revoked(served: ServedPool, cli: Cli) -> None:
    """One that works is not, and the sentence names the command that comes first."""
    state = ["--state", str(served.state), "--lang", "en"]
    early = cli(["nodes", "forget", "on-1", "--yes", *state])
    cli(["nodes", "revoke", "on-1", *state])
    unasked = cli(["nodes", "forget", "on-1", *state])
    after = cli(["nodes", "forget", "on-1", "--yes", *state])

    assert (1, True) == (unasked.status, "--yes" in unasked.err)
    assert (1, True) == (early.status, "entraide nodes revoke" in early.err)
    assert "on-1 is forgotten" in after.out


def test_a_node_that_waits_is_listed_so(served: ServedPool, cli: Cli) -> None:
    """The operator sees whom to approve."""
    served.admin.approval = "waiting"

    assert "attend l’exploitant" in cli(["nodes", "list", "--state", str(served.state)]).out


def test_a_coop_is_added_once(served: ServedPool, cli: Cli) -> None:
    """A new member has its terms at once; a member is changed with `set`, not added again."""
    state = ["--state", str(served.state), "--lang", "en"]
    added = cli(["coops", "add", "soleil", "--shares", "2", *state])
    again = cli(["coops", "add", "soleil", *state])

    assert (0, "soleil", 2.0) == (added.status, served.admin.coop.coop, served.admin.coop.shares)
    assert (1, True) == (again.status, "already exists" in again.err)


def test_a_coop_is_removed(served: ServedPool, cli: Cli) -> None:
    """The operator reads what was revoked, and that the books stay."""
    words = ["coops", "remove", "boreale", "--state", str(served.state), "--lang", "en"]
    said = cli([*words, "--yes"]).out

    assert "boreale is no member any more: one key and one node revoked" in said


@all_cases("answer", ["", "n\n", "oui\n"], ["no answer", "no", "yes"])
def test_who_removes_a_coop_is_asked(
    served: ServedPool, cli: Cli, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Only a yes removes it; without a terminal nothing is done until ``--yes`` is stated."""
    words = ["coops", "remove", "boreale", "--state", str(served.state), "--lang", "en"]
    unasked = cli(words)
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    asked = cli(words)
    monkeypatch.undo()

    assert (1, "") == (unasked.status, unasked.out)
    assert "state --yes" in unasked.err
    assert "its keys, machines and invitations are revoked" in asked.err
    assert ("oui" in answer) == ("is no member any more" in asked.out)


def test_a_typing_error_makes_no_coop(served: ServedPool, cli: Cli) -> None:
    """``set`` changes members only; it names them, and the command that adds one."""
    state = ["--state", str(served.state), "--lang", "en"]
    wrong = cli(["coops", "set", "nope", "--language", "fr", *state])

    assert (1, "boreale") == (wrong.status, served.admin.coop.coop)
    assert 'No co-op is called "nope". There are: boreale.' in wrong.err
    assert "entraide coops add nope" in wrong.err


def test_a_change_of_nothing_is_said(served: ServedPool, cli: Cli) -> None:
    """No version of the policy is made, whatever the order of the quotas."""
    state = ["--state", str(served.state), "--lang", "en"]
    cli(["coops", "set", "boreale", "--language", "en", "--quota", "tokens=5/day", *state])
    before = served.admin.coop
    same = ["--language", "en", "--shares", "1", "--quota", "requests=50/minute"]
    again = cli(["coops", "set", "boreale", *same, *state])

    assert (0, True) == (again.status, "Nothing changes for boreale" in again.err)
    assert before is served.admin.coop
    assert ["boreale", "en", "1"] == again.out.splitlines()[1].split()[:3]


def test_an_invitation_is_a_link_and_a_command(served: ServedPool, cli: Cli) -> None:
    """Both stand alone on the output; what the operator vouches for is said beside them."""
    vouched = ["--zone", "CA-ON", "--site", "Sudbury", "--controlled-by", "member"]
    vouched += ["--evidence", "meter", "--document", "Compteur 7"]
    classes = ["--data-class", "public", "--data-class", "internal"]
    state = ["--state", str(served.state), "--lang", "en"]
    result = cli(["invite", "soleil", "--hours", "2", *vouched, *classes, *state])
    bare = cli(["invite", "soleil", *state])
    request = served.admin.tokens[0]

    assert [
        "https://parc.coop/install#jeton-1",
        "curl -fsS https://parc.coop/install.sh | sh -s -- 'https://parc.coop/install#jeton-1'",
    ] == result.out.splitlines()
    assert (
        "Sudbury · CA-ON · a member co-op · public, internal · meter on site: Compteur 7"
        in result.err
    )
    assert ("meter", "Compteur 7") == (request.evidence, request.document)
    assert "nodes vouch" not in result.err
    assert "gets no request until you name it" in bare.err
    assert ("soleil", 7_200.0, "Sudbury", "CA-ON", "member", ["public", "internal"]) == (
        request.coop, request.valid_s, request.site, request.zone, request.controlled_by,
        list(request.data_classes),
    )  # fmt: skip


def test_a_join_token_stands_alone(served: ServedPool, cli: Cli) -> None:
    """The token alone is on the output, so that a script can take it; advice is beside it."""
    result = cli(
        ["nodes", "token", "--coop", "soleil", "--hours", "2", "--state", str(served.state)]
    )

    assert "jeton-1\n" == result.out
    assert "entraide node join" in result.err
    assert "entraide nodes vouch NŒUD --zone" in result.err
    assert ("soleil", 7_200.0) == (served.admin.tokens[0].coop, served.admin.tokens[0].valid_s)


def test_a_join_token_names_the_zone(served: ServedPool, cli: Cli) -> None:
    """The machine may then answer at once, and nobody is told to vouch for a zone."""
    words = ["nodes", "token", "--coop", "soleil", "--zone", "CA-ON"]
    result = cli([*words, "--state", str(served.state)])

    assert "CA-ON" == served.admin.tokens[-1].zone
    assert "nodes vouch" not in result.err


def test_a_machine_is_vouched_for_in_what_is_named_only(served: ServedPool, cli: Cli) -> None:
    """Control and evidence are told apart; the machine is shown as it is from now on."""
    state = ["--state", str(served.state), "--lang", "en"]
    evidence = ["--evidence", "contract", "--document", "PPA 2026-114", "--author", "Élise"]
    before = cli(["nodes", "show", "on-1", *state]).out
    after = cli(["nodes", "vouch", "on-1", *evidence, *state]).out
    (request,) = served.admin.vouchings

    assert re.search(r"EVIDENCE OF SURPLUS +not vouched for", before)
    assert "VOUCHED FOR" not in before
    assert re.search(r"EVIDENCE OF SURPLUS +contract: PPA 2026-114\n", after)
    assert re.search(r"VOUCHED FOR +1970-01-01 \d\d:\d\d \S+, by Élise", after)
    assert ("on-1", False, True) == (
        request.node, request.HasField("controlled_by"), request.HasField("evidence"),
    )  # fmt: skip


def test_a_zone_is_named_and_taken_back(served: ServedPool, cli: Cli) -> None:
    """Until it is named, the machine's own word stands beside it, for what it is."""
    state = ["--state", str(served.state), "--lang", "en"]
    named = cli(["nodes", "vouch", "on-1", "--zone", "CA-QC", "--site", "Gaspé", *state]).out
    listed = cli(["nodes", "list", *state]).out
    taken = cli(["nodes", "vouch", "on-1", "--zone", "none", *state]).out
    fields = [
        (request.HasField("site"), request.zone, request.site) for request in served.admin.vouchings
    ]

    assert "Gaspé, Quebec (its owner says: Ontario)" in named
    assert "Quebec (its owner says: Ontario)" in listed
    assert "Gaspé, unknown zone (its owner says: Ontario)" in taken
    assert [(True, "CA-QC", "Gaspé"), (False, "", "")] == fields


def test_a_word_is_taken_back(served: ServedPool, cli: Cli) -> None:
    """`none` is an empty word, and not the same as leaving the option out."""
    words = ["--controlled-by", "none", "--evidence", "none", "--author", "a"]
    said = cli(["nodes", "vouch", "on-1", *words, "--state", str(served.state)]).out
    (request,) = served.admin.vouchings

    assert 2 == said.count("non attesté")
    assert ("", True) == (request.controlled_by, request.HasField("controlled_by"))
    assert ("", True) == (request.evidence, request.HasField("evidence"))


@pytest.mark.parametrize("kind", [(), ("--pdf", "x.pdf")], ids=["text", "pdf"])
def test_the_operator_is_asked_for_the_co_op_of_a_statement(
    served: ServedPool, cli: Cli, kind: tuple[str, ...]
) -> None:
    """With the operator's key alone there is no own co-op: the command asks for --coop."""
    file = served.state / "pool.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"keys": {}}))
    french, english = (
        cli(["report", *kind, "--lang", lang, "--state", str(served.state)]).err
        for lang in ("fr", "en")
    )

    assert "Nommez la coopérative avec --coop" in french
    assert "Name the co-op with --coop" in english

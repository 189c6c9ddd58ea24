"""The operator's commands on machines and co-ops: inviting, approving, revoking, forgetting."""

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
    early = cli(["nodes", "forget", "on-1", *state])
    cli(["nodes", "revoke", "on-1", *state])
    after = cli(["nodes", "forget", "on-1", *state])

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
    said = cli(["coops", "remove", "boreale", "--state", str(served.state), "--lang", "en"]).out

    assert "boreale is no member any more: one key and one node revoked" in said


def test_an_invitation_is_a_link_and_a_command(served: ServedPool, cli: Cli) -> None:
    """Both stand alone on the output; what the operator vouches for is said beside them."""
    vouched = ["--zone", "CA-ON", "--site", "Sudbury", "--controlled-by", "member"]
    classes = ["--data-class", "public", "--data-class", "internal"]
    state = ["--state", str(served.state), "--lang", "en"]
    result = cli(["invite", "soleil", "--hours", "2", *vouched, *classes, *state])
    bare = cli(["invite", "soleil", *state])
    request = served.admin.tokens[0]

    assert [
        "https://parc.coop/install#jeton-1",
        "curl -fsS https://parc.coop/install.sh | sh -s -- 'https://parc.coop/install#jeton-1'",
    ] == result.out.splitlines()
    assert "Sudbury · CA-ON · member · public, internal" in result.err
    assert "its owner names the site and the zone" in bare.err
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
    assert ("soleil", 7_200.0) == (served.admin.tokens[0].coop, served.admin.tokens[0].valid_s)

"""Subjects: the functions and the protocol's page agree."""

import pytest
from tests.cases import all_cases
from tests.house.source import ROOT

from entraide.wire import subjects

PAGE = ROOT / "docs/reference/protocol.md"

SAID = {
    subjects.node_ctl_up("N"): "node.N.up.ctl",
    subjects.node_out("N", "G"): "node.N.up.out.G",
    subjects.node_ctl_down("N"): "node.N.down.ctl",
    subjects.node_in("N"): "node.N.down.in",
    subjects.node_inbox("N"): "_INBOX.N",
    subjects.gateway_up("G"): "gw.G.up.ctl",
    subjects.gateway_down("G"): "gw.G.down.ctl",
    subjects.gateway_inbox("G"): "_INBOX.gw-G",
    subjects.SCHEDULER_INBOX: "_INBOX.scheduler",
    subjects.SCHEDULER_CLAIMS: "gw.all.down.claim",
}
HEARD = {
    subjects.ALL_NODES_CTL: subjects.node_ctl_up("on-1"),
    subjects.ALL_GATEWAYS_UP: subjects.gateway_up("gw-1"),
    subjects.out_of_all_nodes("gw-1"): subjects.node_out("on-1", "gw-1"),
}


def matches(pattern: str, subject: str) -> bool:
    """Whether NATS delivers a subject to a pattern with single-token wildcards."""
    wanted, tokens = pattern.split("."), subject.split(".")
    return len(wanted) == len(tokens) and all(
        want in ("*", token) for want, token in zip(wanted, tokens, strict=True)
    )


@pytest.mark.parametrize("said", SAID)
def test_each_subject(said: str) -> None:
    """A helper gives the subject that everyone relies on."""
    assert SAID[said] == said


@pytest.mark.checkout
@pytest.mark.parametrize("said", SAID)
def test_the_page_has_each_subject(said: str) -> None:
    """The protocol's page documents the subject."""
    assert f"`{said}`" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("pattern", HEARD)
def test_each_listener_hears_its_subject_and_no_other(pattern: str) -> None:
    """A process's subscription matches the subjects sent to it, and no other."""
    heard = [subject for subject in HEARD.values() if matches(pattern, subject)]

    assert [HEARD[pattern]] == heard


@pytest.mark.parametrize("subject", HEARD.values())
def test_the_sender_is_in_the_subject(subject: str) -> None:
    """The sender's identifier is in the subject, which the server checks."""
    assert subject.split(".")[1] == subjects.sender(subject)


@pytest.mark.parametrize("identifier", ["a", "on-1", "0", "a" * 63])
def test_identifiers_that_are_allowed(identifier: str) -> None:
    """Small letters, digits and hyphens make an identifier."""
    assert identifier == subjects.checked(identifier)


@all_cases("identifier", ["", "-a", "A", "a.b", "a b", "*", ">", "é", "a" * 64, "a\n"])
def test_identifiers_that_are_refused(identifier: str) -> None:
    """Nothing that means something to NATS, or could hide, makes an identifier."""
    with pytest.raises(ValueError, match="identifier"):
        subjects.checked(identifier)

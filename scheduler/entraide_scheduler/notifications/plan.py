"""Plan: which findings have begun and ended, and which of that a recipient is told now. Pure.

In: what is found now, and what was found and told before. Out: the same a moment later. A finding
has begun once it has lasted as long as the alert of its kind waits, and has ended once it was
absent for ``end_after_s``: one that comes and goes is told once. Nobody is told of the end of a
finding of whose begin they were not told.
"""

import hashlib
from collections.abc import Iterable, Mapping

from msgspec import Struct, structs

from entraide_scheduler.findings import KINDS, Finding, Severity

HOUR_S = 3_600.0
FINDINGS_MAX = 1_000  # that are followed at a time
CHANGES_MAX = 20  # findings in one message; the others are in the next one
RETRY_FIRST_S, RETRY_MAX_S = 30.0, 3_600.0
RETRY_DOUBLINGS_MAX = 10
FAILING_AFTER = 3  # attempts in a row before a recipient counts as not reached
LENDER = "coop:"  # before the name of a co-op; no code of a finding has a colon
SUBJECT = ("part", "node", "key", "model", "port", "issuer", "server")  # as the monitor's, and more


class Audience(Struct, frozen=True):
    """Of what a recipient is told.

    Attributes:
        level: least level of the findings.
        coop: the co-op whose machines the findings concern; "" for the operator, who is told of
            everything that is wrong with the pool.
    """

    level: str
    coop: str = ""


class Followed(Struct, frozen=True):
    """A finding that is there, or was a moment ago.

    Attributes:
        finding: as it was found last.
        first_at: when it was found first, seconds since the epoch.
        gone_at: since when it is absent, likewise; 0 while it is there.
        coop: as in ``Audience``.
    """

    finding: Finding
    first_at: float
    gone_at: float = 0.0
    coop: str = ""

    def has_begun(self, now: float) -> bool:
        """Whether it has lasted long enough to be told."""
        lasted_s = (self.gone_at or now) - self.first_at
        return lasted_s >= KINDS[self.finding.code].alert_after_s


class FindingChanges(Struct, frozen=True):
    """What a message says.

    Attributes:
        begun, ended: findings by key.
        left_out: findings that began and ended without a message.
    """

    begun: dict[str, Finding] = {}
    ended: dict[str, Finding] = {}
    left_out: int = 0

    def __bool__(self) -> bool:
        return bool(self.begun or self.ended or self.left_out)


class Recipient(Struct, frozen=True):
    """What a recipient was told.

    Attributes:
        told: findings of whose begin it was told, and not of their end, by key.
        sent_at: when the messages of the last hour were sent, seconds since the epoch.
        sent: number of messages so far.
        left_out: findings that began and ended without a message, since the last message.
        failures: attempts in a row that failed.
        failed_at: when the first of them was, seconds since the epoch.
        try_at: no attempt before, likewise.
        problem: what the last attempt met.
        coop: as in ``Audience``.
        pending: the message on its way; one that a killed process left is sent again as it was.
    """

    told: dict[str, Finding] = {}
    sent_at: tuple[float, ...] = ()
    sent: int = 0
    left_out: int = 0
    failures: int = 0
    failed_at: float = 0.0
    try_at: float = 0.0
    problem: str = ""
    coop: str = ""
    pending: FindingChanges | None = None


class NotifyState(Struct, frozen=True):
    """Content of ``notify-state.json``: the findings that are followed, and who knows of them."""

    followed: dict[str, Followed] = {}
    recipients: dict[str, Recipient] = {}


def key_of(each: Finding, coop: str = "") -> str:
    """Returns what tells a finding for somebody from others, whenever it is found."""
    words = "/".join((each.code, *(str(each.values.get(name, "")) for name in SUBJECT)))
    return (f"{LENDER}{coop}/" if coop else "") + words.rstrip("/")


def follow(
    state: NotifyState,
    found: Iterable[Finding],
    now: float,
    *,
    end_after_s: float,
    audiences: Mapping[str, Audience],
    of_coops: Mapping[str, Iterable[Finding]],
) -> NotifyState:
    """Returns the state with what is found now.

    Args:
        state: before.
        found: what is wrong now.
        now: seconds since the epoch.
        end_after_s: how long a finding must be absent before it has ended.
        audiences: of each recipient; others are forgotten.
        of_coops: what is wrong now with the machines of co-ops, by co-op.
    """
    parts = (("", found), *of_coops.items())
    present, coops = {}, {}
    for coop, each in ((coop, each) for coop, part in parts for each in part):
        if each.code in KINDS:
            key = key_of(each, coop)
            present[key], coops[key] = each, coop
    followed, over = {}, []
    for key, before in state.followed.items():
        if key in present:
            each = structs.replace(present[key], since=before.finding.since)
            followed[key] = structs.replace(before, finding=each, gone_at=0.0)
        elif not before.gone_at:
            followed[key] = structs.replace(before, gone_at=now)
        elif now - before.gone_at < end_after_s:
            followed[key] = before
        else:
            over.append((key, before))
    for key, each in present.items():
        if key not in followed and len(followed) < FINDINGS_MAX:
            begin = structs.replace(each, since=each.since or now)
            followed[key] = Followed(begin, first_at=min(begin.since, now), coop=coops[key])
    missed = [(key, each) for key, each in over if each.has_begun(now)]
    recipients = {}
    for name, audience in audiences.items():
        known = state.recipients.get(name, Recipient())
        untold = sum(key not in known.told and wants(audience, each) for key, each in missed)
        left_out = known.left_out + untold
        recipients[name] = structs.replace(known, left_out=left_out, coop=audience.coop)
    return NotifyState(followed, recipients)


def wants(audience: Audience, each: Followed) -> bool:
    """Whether a recipient is told of a finding."""
    is_urgent = each.finding.severity is Severity.FAIL
    return each.coop == audience.coop and (is_urgent or audience.level != Severity.FAIL)


def find_changes(
    state: NotifyState, name: str, audience: Audience, now: float, *, per_hour: int
) -> FindingChanges:
    """Returns what a recipient is to be told now; nothing while it has to wait."""
    known = state.recipients[name]
    if now < known.try_at or len(_within_hour(known, now)) >= per_hour:
        return FindingChanges()
    begun = {
        key: each.finding
        for key, each in state.followed.items()
        if key not in known.told
        and not each.gone_at
        and each.has_begun(now)
        and wants(audience, each)
    }
    ended = {key: each for key, each in known.told.items() if key not in state.followed}
    order = sorted(begun, key=lambda key: (begun[key].severity is not Severity.FAIL, key))
    first = order[:CHANGES_MAX]
    over = sorted(ended)[: CHANGES_MAX - len(first)]
    return FindingChanges(
        {key: begun[key] for key in first}, {key: ended[key] for key in over}, known.left_out
    )


def identify(name: str, known: Recipient, changes: FindingChanges) -> str:
    """Returns the identifier of a message: the same if it is sent again, and of no other one."""
    words = (name, str(known.sent), *sorted(changes.begun), "", *sorted(changes.ended))
    return hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def note_sent(known: Recipient, changes: FindingChanges, now: float) -> Recipient:
    """Returns a recipient that has a message."""
    kept = {key: each for key, each in known.told.items() if key not in changes.ended}
    return Recipient(
        told=kept | changes.begun,
        sent_at=(*_within_hour(known, now), now),
        sent=known.sent + 1,
        left_out=known.left_out - changes.left_out,
        coop=known.coop,
    )


def note_failed(known: Recipient, problem: str, now: float) -> Recipient:
    """Returns a recipient that was not reached; each further attempt waits twice as long."""
    wait_s = min(RETRY_FIRST_S * 2 ** min(known.failures, RETRY_DOUBLINGS_MAX), RETRY_MAX_S)
    return structs.replace(
        known,
        failures=known.failures + 1,
        failed_at=known.failed_at or now,
        try_at=now + wait_s,
        problem=problem,
        pending=None,
    )


def _within_hour(known: Recipient, now: float) -> tuple[float, ...]:
    return tuple(at for at in known.sent_at if now - HOUR_S < at <= now)

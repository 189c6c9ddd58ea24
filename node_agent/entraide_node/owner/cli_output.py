"""The owner's terms in words: why the machine rests, since when, and what would change it."""

from collections.abc import Iterator
from datetime import datetime

from entraide import i18n
from entraide_node.core.owner_policy import LendingState
from entraide_node.owner.files import NodeStatus

DAY_S = 86_400.0


def owner_sentences(status: NodeStatus, lang: str, *, now: float) -> Iterator[str]:
    """Yields what there is to say of the owner's terms beside the one sentence of the state.

    Args:
        status: of a running agent.
        lang: of the reader.
        now: seconds since the epoch.
    """
    told = status.owner
    if told.code and told.code == status.state and told.number:
        yield i18n.text(
            "owner-since", lang, number=told.number, since=_format_time(told.since_at, now),
            minutes=int(max(0.0, now - told.since_at) / 60.0),
        )  # fmt: skip
        wait_s = 0.0 if told.until_at is None else max(0.0, told.until_at - now)
        yield i18n.text(f"owner-change-{told.code}", lang, **told.values, seconds=int(wait_s + 0.5))
    elif told.own_only:
        yield i18n.text("owner-own-only", lang)
    if told.state in (LendingState.OBJECTING, LendingState.GIVING_BACK) and status.running:
        yield i18n.text("owner-giving-back", lang, seconds=int(told.give_back_s + 0.5))
    if told.watching and told.code == "owner_busy":
        yield i18n.text("owner-watching", lang)
    if told.file_code:
        yield i18n.text(f"owner-file-{told.file_code}", lang, **told.file_values)


def _format_time(at: float, now: float) -> str:
    """The time of day on the reader's own clock, with the date if that is another day."""
    then = datetime.fromtimestamp(at).astimezone()
    return f"{then:%H:%M}" if now - at < DAY_S else f"{then:%Y-%m-%d %H:%M}"

"""Owner output: sentences on why the machine accepts no jobs, and when it will."""

from collections.abc import Iterator

from entraide import i18n
from entraide.relative_time import format_moment
from entraide_node.core.owner_policy import LendingState
from entraide_node.owner.files import NodeStatus

DAY_S = 86_400.0


def owner_sentences(status: NodeStatus, lang: str, *, now: float) -> Iterator[str]:
    """Yields the sentences on the owner's terms that follow the sentence on the node's state.

    Args:
        status: status of a running agent.
        lang: the reader's language.
        now: seconds since the epoch.
    """
    owner = status.owner
    if owner.code and owner.code == status.state and owner.number:
        yield i18n.text(
            "owner-since", lang, since=_format_time(owner.since_at, now, lang),
            minutes=int(max(0.0, now - owner.since_at) / 60.0),
        )  # fmt: skip
        wait_s = 0.0 if owner.until_at is None else max(0.0, owner.until_at - now)
        yield i18n.text(
            f"owner-change-{owner.code}", lang, **owner.values, seconds=int(wait_s + 0.5)
        )
    elif owner.own_only:
        yield i18n.text("owner-own-only", lang)
    if owner.state in (LendingState.OBJECTING, LendingState.GIVING_BACK) and status.running:
        yield i18n.text("owner-giving-back", lang, seconds=int(owner.give_back_s + 0.5))
    if owner.watching and owner.code == "owner_busy":
        yield i18n.text("owner-watching", lang)
    if owner.file_code:
        yield i18n.text(f"owner-file-{owner.file_code}", lang, **owner.file_values)


def _format_time(time_s: float, now: float, lang: str) -> str:
    """The local time of day with its zone, and with the date if it is a day ago or more."""
    moment = format_moment(time_s, lang)
    return moment.partition(" ")[2] if now - time_s < DAY_S else moment

"""``entraide coops``: the members, their shares, quotas and balances."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from entraide import i18n
from entraide.cli import options, show
from entraide.cli.place import find
from entraide.cli.usage import bad_value
from entraide.v1 import admin_pb2

QUOTA = re.compile(r"(tokens|requests)=(none|(\d+)/(minute|day|month))|(jobs_in_flight)=(none|\d+)")
NONE = "none"


def register(app: typer.Typer, lang: str) -> None:
    """Adds the commands."""
    coops = typer.Typer(no_args_is_help=True)
    app.add_typer(coops, name="coops", help=i18n.text("help-coops", lang))

    @coops.command("list", help=i18n.text("help-coops-list", lang))
    def list_(
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        with find(state, lang).admin() as admin:
            found = list(admin.call("ListCoops", admin_pb2.ListCoopsRequest()).coops)
        _print(found, lang, json=json)

    @coops.command("set", help=i18n.text("help-coops-set", lang))
    def set_(
        coop: Annotated[str, typer.Argument(metavar="COOP", help=i18n.text("arg-coop", lang))],
        shares: Annotated[
            float | None, typer.Option("--shares", min=0.001, help=i18n.text("opt-shares", lang))
        ] = None,
        quota: Annotated[
            list[str] | None,
            typer.Option("--quota", metavar="Q", help=i18n.text("opt-quota", lang)),
        ] = None,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        asked = parse_quotas(quota or [], lang)
        with find(state, lang).admin() as admin:
            known = admin.call("ListCoops", admin_pb2.ListCoopsRequest()).coops
            before = next((c for c in known if c.coop == coop), admin_pb2.Coop(shares=1.0))
            wanted = admin_pb2.Coop(
                coop=coop,
                shares=before.shares if shares is None else shares,
                quotas=changed(before.quotas, asked),
            )
            after = admin.call("SetCoop", wanted)
        _print([after], lang, json=json)


def parse_quotas(texts: Sequence[str], lang: str) -> list[admin_pb2.Quota]:
    """Reads ``tokens=1000/day``, ``jobs_in_flight=4`` or ``requests=none`` (which has no period).

    Raises:
        typer.BadParameter: a quota is written otherwise.
    """
    found = []
    for text in texts:
        parts = QUOTA.fullmatch(text)
        if parts is None:
            raise bad_value(i18n.text("cli-bad-quota", lang, text=text))
        kind = parts[1] or parts[5]
        limit = parts[3] if parts[1] else parts[6]
        if limit in (None, NONE):
            found.append(admin_pb2.Quota(kind=kind))
        else:
            found.append(admin_pb2.Quota(kind=kind, limit=int(limit), period=parts[4] or NONE))
    return found


def changed(
    before: Sequence[admin_pb2.Quota], asked: Sequence[admin_pb2.Quota]
) -> list[admin_pb2.Quota]:
    """Returns a co-op's quotas after a change: those of other kinds stay."""
    kinds = {quota.kind for quota in asked}
    kept = [quota for quota in before if quota.kind not in kinds]
    return [*kept, *(quota for quota in asked if quota.period)]


def _quota(quota: admin_pb2.Quota, lang: str) -> str:
    kind = i18n.word("quota", quota.kind, lang)
    limit = i18n.decimal(quota.limit, lang)
    used = i18n.decimal(quota.used, lang)
    period = f" {i18n.word('period', quota.period, lang)}" if quota.period != NONE else ""
    return f"{kind} {used}/{limit}{period}"


def _print(coops: Sequence[admin_pb2.Coop], lang: str, *, json: bool) -> None:
    if json:
        show.as_json(list(coops))
        return
    names = ("coop", "shares", "balance", "energy", "carbon", "quotas")
    rows = [
        [
            coop.coop,
            i18n.decimal(coop.shares, lang),
            i18n.decimal(coop.balance_tokens, lang),
            f"{i18n.decimal(coop.balance_wh, lang)} Wh",
            f"{i18n.decimal(coop.balance_gco2e, lang)} g",
            ", ".join(_quota(quota, lang) for quota in coop.quotas),
        ]
        for coop in coops
    ]
    show.table([i18n.text(f"col-{name}", lang) for name in names], rows)

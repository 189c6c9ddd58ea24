"""``entraide coops``: lists and changes the co-ops, their shares, quotas and balances."""

import getpass
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.confirmation import confirm
from entraide.cli.pool_access import coop_names, find_pool
from entraide.cli.usage_errors import bad_value
from entraide.coop_names import typed_name
from entraide.errors import error_for

if TYPE_CHECKING:
    from entraide.client.admin import AdminClient
    from entraide.v1 import admin_pb2

QUOTA = re.compile(
    r"(?:(?P<kind>tokens|requests|energy_wh|carbon_g)=(?:none|(?P<limit>\d+)/"
    r"(?P<period>minute|day|month))|(?P<held>jobs_in_flight)=(?:none|(?P<most>\d+)))"
    r"(?:,(?:project=(?P<project>[^,]+)|key=(?P<key>[^,]+)))?"
)
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
        from entraide.v1 import admin_pb2

        with find_pool(state, lang).admin() as admin:
            members = list(admin.call("ListCoops", admin_pb2.ListCoopsRequest()).coops)
        _print(members, lang, json=json)

    _register_correct(coops, lang)
    _register_terms(coops, lang, "add")
    _register_terms(coops, lang, "set")
    _register_remove(coops, lang)


def _register_correct(coops: typer.Typer, lang: str) -> None:
    @coops.command(help=i18n.text("help-coops-correct", lang))
    def correct(
        name: Annotated[
            str, typer.Argument(metavar="NAME", help=i18n.text("arg-correction", lang))
        ],
        *,
        lender: Annotated[str, typer.Option("--lender", help=i18n.text("opt-lender", lang))],
        borrower: Annotated[str, typer.Option("--borrower", help=i18n.text("opt-borrower", lang))],
        reason: Annotated[str, typer.Option("--reason", help=i18n.text("opt-reason", lang))],
        tokens: Annotated[int, typer.Option("--tokens", help=i18n.text("opt-tokens", lang))] = 0,
        energy_wh: Annotated[float, typer.Option("--wh", help=i18n.text("opt-wh", lang))] = 0.0,
        direct_gco2e: Annotated[
            float, typer.Option("--gco2e", help=i18n.text("opt-gco2e", lang))
        ] = 0.0,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        correction = admin_pb2.Correction(
            correction=name,
            reason=reason,
            lender=lender,
            borrower=borrower,
            tokens=tokens,
            energy_wh=energy_wh,
            direct_gco2e=direct_gco2e,
        )
        with find_pool(state, lang).admin() as admin:
            posted = admin.call("PostCorrection", correction)
        if json:
            output.print_json(posted)
        else:
            typer.echo(i18n.text("cli-corrected", lang, name=posted.correction))


def _register_terms(coops: typer.Typer, lang: str, name: str) -> None:
    """Adds ``add``, which makes a co-op a member, or ``set``, which changes a member."""

    @coops.command(name, help=i18n.text(f"help-coops-{name}", lang))
    def set_terms(
        coop: Annotated[str, typer.Argument(metavar="COOP", help=i18n.text("arg-coop", lang))],
        *,
        shares: Annotated[
            float | None, typer.Option("--shares", min=0.001, help=i18n.text("opt-shares", lang))
        ] = None,
        quota: Annotated[
            list[str] | None,
            typer.Option("--quota", metavar="Q", help=i18n.text("opt-quota", lang)),
        ] = None,
        shown_name: Annotated[
            str | None, typer.Option("--name", help=i18n.text("opt-coop-name", lang))
        ] = None,
        language: Annotated[
            str | None,
            typer.Option("--language", metavar="fr|en", help=i18n.text("opt-coop-language", lang)),
        ] = None,
        lend_part: Annotated[
            float | None,
            typer.Option("--lend-part", min=0, max=1, help=i18n.text("opt-lend-part", lang)),
        ] = None,
        lend_wh: Annotated[
            str | None,
            typer.Option("--lend-wh", metavar="WH|none", help=i18n.text("opt-lend-wh", lang)),
        ] = None,
        reason: Annotated[str, typer.Option("--reason", help=i18n.text("opt-reason", lang))] = "",
        author: Annotated[str, typer.Option("--author", help=i18n.text("opt-author", lang))] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        changes = parse_quotas(quota or [], lang)
        if lend_wh not in (None, NONE) and not lend_wh.isdecimal():
            raise bad_value(i18n.text("cli-bad-lend", lang, text=lend_wh))
        with find_pool(state, lang).admin() as admin:
            before = _find_terms(admin, coop, lang, is_new=name == "add")
            request = changed_terms(
                before, quotas=changes, shares=shares, lend_part=lend_part, lend_wh=lend_wh
            )
            request.coop = coop
            if shown_name is not None:
                request.name = shown_name
            if language is not None:
                request.language = language
            request.author = author or getpass.getuser()
            request.reason = reason or f"entraide coops {name} {coop}"
            after = _set_terms(admin, before, request, lang)
        _print([after], lang, json=json)


def _find_terms(admin: "AdminClient", coop: str, lang: str, *, is_new: bool) -> "admin_pb2.Coop":
    """Returns the terms of a member, or those that a new one begins with.

    Raises:
        EntraideError: ``unknown_coop``, with the command that adds one; ``already_exists``.
    """
    from entraide.v1 import admin_pb2

    members = admin.call("ListCoops", admin_pb2.ListCoopsRequest()).coops
    known: admin_pb2.Coop | None = next((each for each in members if each.coop == coop), None)
    if is_new and known is not None:
        raise error_for("already_exists", i18n.error("already_exists", lang, {"name": coop}))
    if is_new:
        return admin_pb2.Coop(shares=1.0, lend=admin_pb2.Lend(part=1.0))
    if known is not None:
        return known
    listed = ", ".join(member.coop for member in members)
    values = {"coop": coop} | ({"coops": listed} if listed else {})
    to_add = i18n.text("cli-coop-to-add", lang, coop=coop)
    raise error_for("unknown_coop", f"{i18n.error('unknown_coop', lang, values)} {to_add}")


def _set_terms(
    admin: "AdminClient", before: "admin_pb2.Coop", request: "admin_pb2.Coop", lang: str
) -> "admin_pb2.Coop":
    """Asks for new terms, unless they are those in force; returns the co-op as it is then."""
    if _terms_of(request) != _terms_of(before):
        after: admin_pb2.Coop = admin.call("SetCoop", request)
        return after
    typer.echo(i18n.text("cli-coop-unchanged", lang, coop=before.coop), err=True)
    return before


def _terms_of(coop: "admin_pb2.Coop") -> "tuple[admin_pb2.Coop, list[tuple[object, ...]]]":
    """Returns a co-op's terms and its sorted quotas without their use, to be compared."""
    from entraide.v1 import admin_pb2

    terms = admin_pb2.Coop()
    terms.CopyFrom(coop)
    terms.name, terms.language = coop.name, coop.language  # left out or empty is the same
    terms.ClearField("author")
    terms.ClearField("reason")
    del terms.quotas[:]
    quotas = [(each.kind, each.project, each.key, each.period, each.limit) for each in coop.quotas]
    return terms, sorted(quotas)


def _register_remove(coops: typer.Typer, lang: str) -> None:
    @coops.command(help=i18n.text("help-coops-remove", lang))
    def remove(
        coop: Annotated[str, typer.Argument(metavar="COOP", help=i18n.text("arg-coop", lang))],
        *,
        reason: Annotated[str, typer.Option("--reason", help=i18n.text("opt-reason", lang))] = "",
        author: Annotated[str, typer.Option("--author", help=i18n.text("opt-author", lang))] = "",
        yes: Annotated[bool, options.yes(lang)] = False,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        confirm(i18n.text("cli-coop-remove-question", lang, coop=coop), lang, yes=yes)
        request = admin_pb2.RemoveCoopRequest(
            coop=coop,
            author=author or getpass.getuser(),
            reason=reason or f"entraide coops remove {coop}",
        )
        with find_pool(state, lang).admin() as admin:
            names = {} if json else coop_names(admin)
            removed = admin.call("RemoveCoop", request)
        if json:
            output.print_json(removed)
            return
        counts = {"keys": len(removed.keys), "nodes": len(removed.nodes)}
        shown = typed_name(coop, names)
        typer.echo(i18n.text("cli-coop-removed", lang, coop=shown, **counts))


def parse_quotas(texts: Sequence[str], lang: str) -> "list[admin_pb2.Quota]":
    """Parses quotas: ``tokens=1000/day``, ``jobs_in_flight=4,key=K``, or ``requests=none``.

    A quota without a period removes the quota of that kind.

    Raises:
        typer.BadParameter: a text is not a quota.
    """
    from entraide.v1 import admin_pb2

    quotas = []
    for text in texts:
        parts = QUOTA.fullmatch(text)
        if parts is None:
            raise bad_value(i18n.text("cli-bad-quota", lang, text=text))
        limit = parts["limit"] or parts["most"]
        quotas.append(
            admin_pb2.Quota(
                kind=parts["kind"] or parts["held"],
                limit=int(limit or 0),
                period=(parts["period"] or NONE) if limit else "",
                project=parts["project"] or "",
                key=parts["key"] or "",
            )
        )
    return quotas


def changed_terms(
    before: "admin_pb2.Coop",
    *,
    quotas: "Sequence[admin_pb2.Quota]",
    shares: float | None,
    lend_part: float | None,
    lend_wh: str | None,
) -> "admin_pb2.Coop":
    """Returns a co-op's terms after changes; what is not given stays, whatever it is."""
    from entraide.v1 import admin_pb2

    after = admin_pb2.Coop()
    after.CopyFrom(before)
    if shares is not None:
        after.shares = shares
    del after.quotas[:]
    after.quotas.extend(merge_quotas(before.quotas, quotas))
    after.lend.CopyFrom(merge_lending(before.lend, part=lend_part, energy_wh=lend_wh))
    return after


def merge_quotas(
    before: "Sequence[admin_pb2.Quota]", changes: "Sequence[admin_pb2.Quota]"
) -> "list[admin_pb2.Quota]":
    """Returns a co-op's quotas after changes; a quota of another kind or owner is kept."""
    changed = {(quota.kind, quota.project, quota.key) for quota in changes}
    kept = [quota for quota in before if (quota.kind, quota.project, quota.key) not in changed]
    return [*kept, *(quota for quota in changes if quota.period)]


def merge_lending(
    before: "admin_pb2.Lend", *, part: float | None, energy_wh: str | None
) -> "admin_pb2.Lend":
    """Returns a co-op's lending limits after a change; a limit given as None is kept."""
    from entraide.v1 import admin_pb2

    after = admin_pb2.Lend()
    after.CopyFrom(before)
    if part is not None:
        after.part = part
    if energy_wh is not None:
        after.limited = energy_wh != NONE
        after.energy_wh_per_day = int(energy_wh) if after.limited else 0
    return after


def _quota(quota: "admin_pb2.Quota", lang: str) -> str:
    kind = i18n.word("quota", quota.kind, lang)
    limit = i18n.decimal(quota.limit, lang)
    used = i18n.decimal(quota.used, lang)
    period = f" {i18n.word('period', quota.period, lang)}" if quota.period != NONE else ""
    owner = f" ({quota.project or quota.key})" if quota.project or quota.key else ""
    return f"{kind} {used}/{limit}{period}{owner}"


def _print(coops: "Sequence[admin_pb2.Coop]", lang: str, *, json: bool) -> None:
    if json:
        output.print_json(list(coops))
        return
    names = ("coop", "name", "language", "shares", "balance", "energy", "carbon", "quotas")
    rows = [
        [
            coop.coop,
            coop.name,
            coop.language,
            i18n.decimal(coop.shares, lang),
            i18n.decimal(coop.balance_tokens, lang),
            f"{i18n.decimal(coop.balance_wh, lang)} Wh",
            f"{i18n.decimal(coop.balance_gco2e, lang)} g",
            ", ".join(_quota(quota, lang) for quota in coop.quotas),
        ]
        for coop in coops
    ]
    output.print_table([i18n.text(f"col-{name}", lang) for name in names], rows)

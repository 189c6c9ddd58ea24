"""Output of ``entraide policy``: versions, faults and changes for people, or as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import typer

from entraide import i18n
from entraide.cli import output
from entraide.coop_names import names_of, shown_name, typed_name
from entraide.decoding import decode_json, decode_toml
from entraide.v1 import admin_pb2
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.policy_versions.differences import PolicyChange

DAY_S = 86_400.0


class _Covered(msgspec.Struct):
    """Fields of ``replay.json`` that say which time a replay covers."""

    start_at: float
    end_at: float


def faults_text(path: Path, lines: Sequence[str], lang: str) -> str:
    """Returns the faults of a file as text, one on each line."""
    title = i18n.text("policy-faults", lang, path=str(path), count=len(lines))
    return "\n".join([title, *(f"  {line}" for line in lines)])


def print_version(version: admin_pb2.PolicyVersion, lang: str, *, as_json: bool) -> None:
    """Prints a version as TOML, with its author, moment and reason as comments."""
    text = version.document.decode()
    if as_json:
        output.print_json({**_plain(version), "document": decode_toml(text)})
        return
    for line in _signature(version, lang).splitlines():
        typer.echo(f"# {line}")
    typer.echo(text, nl=False)


def print_check(
    path: Path,
    faults: Sequence[str],
    answer: admin_pb2.PolicyCheck,
    lang: str,
    *,
    as_json: bool,
) -> None:
    """Prints the faults of a file; without any, whether it may be applied now."""
    if as_json:
        document = {"file": str(path), "faults": list(faults)}
        output.print_json(document | {"base": answer.base_version, "in_force": answer.in_force})
    elif faults:
        typer.echo(faults_text(path, faults, lang), err=True)
    else:
        typer.echo(i18n.text("policy-valid", lang, path=str(path)))
        values = {"base": answer.base_version, "in_force": answer.in_force}
        if answer.in_force and not answer.base_version:
            typer.echo(i18n.error("policy_base_unknown", lang, values))
        elif answer.base_version != answer.in_force:
            typer.echo(i18n.error("policy_changed", lang, values))


def print_changes(
    changes: Sequence[PolicyChange], old: Policy, new: Policy, lang: str, *, as_json: bool
) -> None:
    """Prints what changes from one policy to another, a sentence for each change."""
    if as_json:
        output.print_json(
            {
                "old": old.version,
                "new": new.version,
                "changes": [{"change": change.code, **change.values} for change in changes],
            }
        )
        return
    values: dict[str, i18n.Value] = {"old": old.version, "new": new.version, "count": len(changes)}
    typer.echo(typer.style(i18n.text("policy-diff", lang, **values), bold=True))
    names = names_of(old.coops) | names_of(new.coops)
    for change in changes:
        typer.echo(f"  {change_line(change, lang, names)}")


def change_line(change: PolicyChange, lang: str, names: Mapping[str, str]) -> str:
    """Returns a change as a sentence.

    Args:
        change: the change.
        lang: of the reader.
        names: of co-ops, by identifier; one that comes, goes or is renamed is told with both.
    """
    shown: dict[str, i18n.Value] = {
        name: i18n.decimal(value, lang) if isinstance(value, int | float) else value
        for name, value in change.values.items()
        if value != ""
    }
    if "coop" in shown:
        both = change.code in ("coop_added", "coop_removed", "coop_name")
        shown["coop"] = (typed_name if both else shown_name)(str(shown["coop"]), names)
    if "kind" in shown:
        shown["quota"] = i18n.word("quota", str(shown["kind"]), lang)
    if shown.get("period") == "none":
        del shown["period"]
    return i18n.text(f"policy-change-{change.code}", lang, **shown)


def print_history(listed: admin_pb2.PolicyHistory, lang: str, *, as_json: bool) -> None:
    """Prints the versions, newest first, and how much of the journal is kept."""
    if as_json:
        versions = [_plain(version) for version in listed.versions]
        output.print_json({"versions": versions, "journal": output.to_plain(listed.journal)})
        return
    columns = ("version", "when", "author", "reason")
    rows = [
        [
            f"{version.version} *" if version.in_force else version.version,
            output.format_time(version.at, lang),
            version.author,
            " ".join(version.reason.split()),
        ]
        for version in listed.versions
    ]
    output.print_table([i18n.text(f"col-{name}", lang) for name in columns], rows)
    typer.echo("")
    typer.echo(i18n.text("policy-in-force-mark", lang))
    typer.echo(output.journal_text(listed.journal, lang))


def print_applied(version: admin_pb2.PolicyVersion, lang: str, *, as_json: bool) -> None:
    """Prints the version that came into force."""
    if as_json:
        output.print_json(_plain(version))
    else:
        typer.echo(i18n.text("policy-applied", lang, version=version.version))


def print_coverage(path: Path, days: float, lang: str) -> None:
    """Prints which time a replay covers, and that it is shorter than asked if it is."""
    covered = decode_json(path.read_bytes(), type=_Covered)
    length = (covered.end_at - covered.start_at) / DAY_S
    values: dict[str, i18n.Value] = {
        "first": output.format_time(covered.start_at, lang),
        "last": output.format_time(covered.end_at, lang),
        "days": i18n.decimal(round(length, 2), lang),
    }
    if length < days:
        values["asked"] = i18n.decimal(days, lang)
    typer.echo(i18n.text("policy-covers", lang, **values))


def _plain(version: admin_pb2.PolicyVersion) -> dict[str, object]:
    """Returns a version without its document as JSON values."""
    names = ("version", "at", "author", "reason", "in_force")
    return {name: getattr(version, name) for name in names}


def _signature(version: admin_pb2.PolicyVersion, lang: str) -> str:
    values = {"version": version.version, "when": output.format_time(version.at, lang)}
    if version.author:
        values["author"] = version.author
    if version.reason:
        values["reason"] = " ".join(version.reason.split())
    return i18n.text("policy-signature", lang, **values)

"""``entraide pool status`` and ``entraide pool doctor``."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options
from entraide.cli.pool_command import PoolCommand
from entraide.errors import EntraideError
from entraide.types import ServerPlace
from entraide_scheduler.pool.output import print_problem

if TYPE_CHECKING:
    from entraide.v1 import admin_pb2
    from entraide_scheduler.findings import Report
    from entraide_scheduler.pool.config import PoolConfig

MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}
STOPPED = 3  # exit status, as of ``entraide status``


def register_status(pool: typer.Typer, lang: str) -> None:
    """Adds the commands ``status`` and ``doctor``."""
    directory = options.pool_directory(lang)

    @pool.command("status", cls=PoolCommand, help=i18n.text("help-pool-status", lang))
    def status(
        state: Annotated[Path, directory], *, json: Annotated[bool, options.json(lang)] = False
    ) -> None:
        raise typer.Exit(_status(state.resolve(), lang, as_json=json))

    @pool.command("doctor", cls=PoolCommand, help=i18n.text("help-pool-doctor", lang))
    def doctor(
        state: Annotated[Path, directory], *, json: Annotated[bool, options.json(lang)] = False
    ) -> None:
        raise typer.Exit(_doctor(state.resolve(), lang, as_json=json))


def _status(state: Path, lang: str, *, as_json: bool) -> int:
    from entraide_scheduler.pool import facts
    from entraide_scheduler.pool.config import load_pool_config
    from entraide_scheduler.supervision import poolfile

    try:
        config = load_pool_config(state)
        pool = poolfile.read_running(state)
        running = facts.call_status(pool, lang) if pool is not None else None
    except EntraideError as problem:
        return print_problem(problem, lang)
    document = describe(state, config, running)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(document).decode())
    else:
        typer.echo(_format_status(document, lang))
    return 0 if running is not None else STOPPED


def describe(
    state: Path, config: "PoolConfig", running: "admin_pb2.Status | None"
) -> dict[str, object]:
    """Returns a pool's status for programs; without the scheduler's part while it is stopped."""
    from entraide_scheduler.pool import facts

    try:
        ages = facts.read_certificates(state, config.tls.cert_file)
        days = {each.kind: int(each.days_left) for each in ages}
    except (OSError, ValueError):
        days = {}
    backup = facts.read_last_backup(state)
    document: dict[str, object] = {
        "running": running is not None,
        "name": config.name,
        "state": str(state),
        "url": config.public_url,
        "bus": list(config.bus_urls),
        "certificate_days": days,
        "last_backup_at": backup.at if backup is not None else None,
        "place": config.place.place,
        "backup_place": config.backup.place,
    }
    if running is not None:
        document |= {
            "version": running.version,
            "policy_version": running.policy_version,
            "nodes": len(running.nodes),
            "nodes_live": sum(node.state == "live" for node in running.nodes),
            "jobs_queued": running.queued,
            "jobs_running": running.running,
            "settled": running.settled,
            "false_alarms": sum(node.false_alarms for node in running.nodes),
            "gateways": [
                {
                    "gateway": each.gateway,
                    "state": each.state,
                    "heard_at": each.heard_at,
                    "version": each.version,
                    "url": each.url,
                    "jobs": each.jobs,
                    "twice": each.twice,
                }
                for each in running.gateways
            ],
        }
    return document


def _format_status(document: dict[str, object], lang: str) -> str:
    days = document["certificate_days"]
    assert isinstance(days, dict)
    backup_at = document["last_backup_at"]
    age_s = time.time() - backup_at if isinstance(backup_at, float) else None
    state = str(document["state"])
    lines = [
        i18n.text("pool-status-head", lang, name=str(document["name"]), url=str(document["url"]))
    ]
    if document["running"]:
        numbers = {
            key: int(str(document[key]))
            for key in ("nodes", "nodes_live", "jobs_queued", "jobs_running", "settled")
        }
        policy = str(document["policy_version"])
        lines.append(i18n.text("pool-status-running", lang, policy=policy, **numbers))
        alarms = int(str(document["false_alarms"]))
        lines.append(i18n.text("status-false-alarms", lang, number=alarms))
        lines += _format_gateways(document["gateways"], lang)
    else:
        lines.append(i18n.text("pool-status-stopped", lang, path=state))
    kinds = ", ".join(
        i18n.text(f"pool-status-{kind}", lang, days=left) for kind, left in days.items()
    )
    lines.append(i18n.text("pool-status-certificates", lang, kinds=kinds))
    if age_s is None:
        lines.append(i18n.text("pool-status-no-backup", lang))
    else:
        lines.append(i18n.text("pool-status-backup", lang, days=int(age_s / 86_400.0)))
    place, backup = document["place"], document["backup_place"]
    assert isinstance(place, ServerPlace)
    assert isinstance(backup, ServerPlace)
    names = {"place": i18n.place_name(place, lang), "backup": i18n.place_name(backup, lang)}
    lines.append(i18n.text("pool-status-place", lang, **names))
    return "\n".join(lines)


def _format_gateways(gateways: object, lang: str) -> list[str]:
    """Returns a line on the gateways of their own; none if there are none."""
    assert isinstance(gateways, list)
    names = {
        state: ", ".join(each["gateway"] for each in gateways if each["state"] == state)
        for state in ("live", "silent", "stopped")
    }
    parts = [
        i18n.text(f"pool-status-gateways-{state}", lang, names=listed)
        for state, listed in names.items()
        if listed
    ]
    return [i18n.text("pool-status-gateways", lang, gateways=" · ".join(parts))] if parts else []


def _doctor(state: Path, lang: str, *, as_json: bool) -> int:
    from entraide_scheduler.findings import Severity, report
    from entraide_scheduler.pool.doctor import inspect_pool

    reports = [report(each, lang) for each in inspect_pool(state, lang)]
    has_failed = any(each.level == Severity.FAIL for each in reports)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode({"ok": not has_failed, "checks": reports}).decode())
    else:
        typer.echo("\n".join(_format_reports(reports, lang)))
    return 1 if has_failed else 0


def _format_reports(reports: "list[Report]", lang: str) -> list[str]:
    from entraide.cli.output import format_time

    lines = []
    for each in reports:
        begin = {"since": format_time(each.since, lang)}
        since = f" {i18n.text('pool-doctor-since', lang, **begin)}" if each.since else ""
        lines.append(f"{MARKS[each.level]} {each.sentence}{since}")
        if each.remedy:
            lines.append(f"  → {each.remedy}")
    levels = [each.level for each in reports]
    counts = {"failed": levels.count("fail"), "warned": levels.count("warn")}
    return [*lines, i18n.text("pool-doctor-summary", lang, **counts)]

"""``entraide models place`` and ``unload``: loads and unloads models on machines, or plans it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entraide import i18n, relative_time
from entraide.cli import options, output
from entraide.cli.pool_access import coop_names, find_pool
from entraide.coop_names import shown_name
from entraide.errors import error_for

if TYPE_CHECKING:
    from entraide.v1 import admin_pb2

GB = 1e9


def register(models: typer.Typer, lang: str) -> None:
    """Adds the commands."""

    @models.command("place", help=i18n.text("help-models-place", lang))
    def place(
        model: Annotated[
            str, typer.Argument(metavar="MODEL", help=i18n.text("arg-place-model", lang))
        ] = "",
        *,
        node: Annotated[str, _node_option(lang)] = "",
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help=i18n.text("opt-dry-run", lang))
        ] = False,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        if not model and not dry_run:
            raise error_for("invalid_request", i18n.text("cli-place-what", lang))
        request = admin_pb2.ModelOnNode(model=model, node=node)
        with find_pool(state, lang).admin() as admin:
            plan = admin.call("PlanModels" if dry_run else "PlaceModel", request)
            names = {} if json else coop_names(admin)
        _print_plan(plan, names, lang, json=json, dry_run=dry_run)

    @models.command("unload", help=i18n.text("help-models-unload", lang))
    def unload(
        model: Annotated[str, typer.Argument(metavar="MODEL", help=i18n.text("arg-model", lang))],
        *,
        node: Annotated[str, _node_option(lang)],
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        request = admin_pb2.ModelOnNode(model=model, node=node)
        with find_pool(state, lang).admin() as admin:
            plan = admin.call("UnloadModel", request)
            names = {} if json else coop_names(admin)
        _print_plan(plan, names, lang, json=json, dry_run=False)


def _node_option(lang: str) -> Any:
    return typer.Option("--node", metavar="NODE", help=i18n.text("opt-place-node", lang))


def _print_plan(
    plan: "admin_pb2.ModelPlan", names: dict[str, str], lang: str, *, json: bool, dry_run: bool
) -> None:
    if json:
        output.print_json(plan)
        return
    for step in plan.steps:
        step.coop = shown_name(step.coop, names)
    for order in plan.orders:
        order.coop = shown_name(order.coop, names)
    for line in plan_lines(plan, lang, dry_run=dry_run):
        typer.echo(line)


def plan_lines(plan: "admin_pb2.ModelPlan", lang: str, *, dry_run: bool) -> Iterator[str]:
    """Yields a plan as lines: the steps and their reasons, then the current orders.

    Args:
        plan: the pool's plan.
        lang: the reader's language.
        dry_run: whether the steps were requested, too.
    """
    if dry_run:
        yield from (_step_line(step, lang) for step in plan.steps)
        if not plan.steps:
            yield i18n.text("plan-nothing", lang)
    if plan.orders:
        yield i18n.text("plan-standing", lang)
    for order in plan.orders:
        yield f"  {_order_line(order, lang, plan.at)}"


def _step_line(step: "admin_pb2.ModelStep", lang: str) -> str:
    from google.protobuf import json_format

    values = json_format.MessageToDict(step.values)
    fetch_bytes = values.get("fetch_bytes", 0)
    sentence_values: dict[str, i18n.Value] = {
        "memory": _format_gb(values.get("memory_bytes", 0), lang),
        "fetch": _format_gb(fetch_bytes, lang) if fetch_bytes else i18n.ABSENT,
        "jobs": int(values.get("jobs", 0)),
        "for_model": str(values.get("for_model", "")),
    }
    for name in ("load", "missing", "idle", "loaded"):
        if f"{name}_s" in values:
            sentence_values[name] = relative_time.format_duration(values[f"{name}_s"], lang)
    if "g_per_kwh" in values:
        intensity = i18n.decimal(values["g_per_kwh"], lang)
        sentence_values["intensity"] = f"{intensity}\u00a0g\u00a0CO2e/kWh"
    where = {"node": step.node, "coop": step.coop, "zone": i18n.zone_name(step.zone, lang)}
    action = i18n.text(f"plan-{'load' if step.load else 'unload'}", lang, model=step.model, **where)
    reason = i18n.text(f"plan-why-{step.reason}", lang, **sentence_values)
    facts = i18n.text("plan-facts", lang, **sentence_values) if step.load else ""
    return " ".join(filter(None, (action, reason, facts)))


def _order_line(order: "admin_pb2.ModelOrder", lang: str, at: float) -> str:
    return i18n.text(
        "plan-order",
        lang,
        node=order.node,
        coop=order.coop,
        zone=i18n.zone_name(order.zone, lang),
        model=order.model,
        state=i18n.word("order", order.state, lang),
        since=relative_time.format_time(order.since, lang, at=at),
        memory=_format_gb(order.memory_bytes, lang),
    )


def _format_gb(size_bytes: float, lang: str) -> str:
    return f"{i18n.decimal(round(size_bytes / GB, 1), lang)}\u00a0{i18n.text('unit-gb', lang)}"

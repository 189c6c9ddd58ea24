"""``entraide nodes``: lists, approves, vouches for and revokes machines; creates join tokens."""

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entraide import i18n
from entraide.cli import options, output
from entraide.cli.confirmation import confirm
from entraide.cli.pool_access import coop_names, find_pool
from entraide.coop_names import shown_name
from entraide.errors import error_for
from entraide.printable import printable

if TYPE_CHECKING:
    from entraide.v1 import admin_pb2

SECONDS_PER_HOUR = 3_600.0
NOTHING = "none"  # takes the operator's word back


def register(app: typer.Typer, lang: str) -> None:
    """Adds the commands."""
    nodes = typer.Typer(no_args_is_help=True)
    app.add_typer(nodes, name="nodes", help=i18n.text("help-nodes", lang))
    _register_views(nodes, lang)
    _register_change(nodes, lang, "approve", "ApproveNode")
    _register_change(nodes, lang, "revoke", "RevokeNode")
    _register_forget(nodes, lang)
    _register_vouch(nodes, lang)

    @nodes.command(help=i18n.text("help-nodes-token", lang))
    def token(
        coop: Annotated[
            str, typer.Option("--coop", metavar="COOP", help=i18n.text("opt-token-coop", lang))
        ],
        zone: Annotated[str, typer.Option("--zone", help=i18n.text("opt-invite-zone", lang))] = "",
        hours: Annotated[
            float, typer.Option("--hours", min=0.01, help=i18n.text("opt-hours", lang))
        ] = 24.0,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        valid_s = hours * SECONDS_PER_HOUR
        request = admin_pb2.CreateJoinTokenRequest(coop=coop, valid_s=valid_s, zone=zone)
        with find_pool(state, lang).admin() as admin:
            created = admin.call("CreateJoinToken", request)
            names = {} if json else coop_names(admin)
        if json:
            output.print_json(created)
            return
        typer.echo(created.token)
        until = output.format_time(created.expires_at, lang)
        shown = shown_name(coop, names)
        typer.echo(i18n.text("cli-token-once", lang, until=until, coop=shown), err=True)
        if not zone:
            typer.echo(i18n.text("cli-invited-no-zone", lang), err=True)


def _register_views(nodes: typer.Typer, lang: str) -> None:
    @nodes.command("list", help=i18n.text("help-nodes-list", lang))
    def list_(
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        with find_pool(state, lang).admin() as admin:
            listed = list(admin.call("ListNodes", admin_pb2.ListNodesRequest()).nodes)
        if json:
            output.print_json(listed)
            return
        names = ("node", "coop", "place", "state", "running", "surplus", "sandbox", "models")
        headings = [i18n.text(f"col-{name}", lang) for name in names]
        output.print_table(headings, [_row(node, lang) for node in listed])

    @nodes.command("show", help=i18n.text("help-nodes-show", lang))
    def show_(
        node: Annotated[str, typer.Argument(metavar="NODE", help=i18n.text("arg-node", lang))],
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        with find_pool(state, lang).admin() as admin:
            listed = admin.call("ListNodes", admin_pb2.ListNodesRequest()).nodes
        for item in listed:
            if node in (item.node, item.public_key):
                output.print_json(item) if json else _print(item, lang)
                return
        raise error_for("unknown_node", i18n.error("unknown_node", lang, {"node": node}))


def _register_change(nodes: typer.Typer, lang: str, name: str, method: str) -> None:
    @nodes.command(name, help=i18n.text(f"help-nodes-{name}", lang))
    def change(
        node: Annotated[str, typer.Argument(metavar="NODE", help=i18n.text("arg-node", lang))],
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        with find_pool(state, lang).admin() as admin:
            changed = admin.call(method, admin_pb2.NodeRequest(node=node))
        if json:
            output.print_json(changed)
        elif changed.node:
            _print(changed, lang)
        else:  # a key without a record
            typer.echo(i18n.text("cli-key-revoked", lang, key=changed.public_key))


def _register_forget(nodes: typer.Typer, lang: str) -> None:
    @nodes.command(help=i18n.text("help-nodes-forget", lang))
    def forget(
        node: Annotated[str, typer.Argument(metavar="NODE", help=i18n.text("arg-node", lang))],
        yes: Annotated[bool, options.yes(lang)] = False,
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        confirm(i18n.text("cli-node-forget-question", lang, node=node), lang, yes=yes)
        with find_pool(state, lang).admin() as admin:
            forgotten = admin.call("ForgetNode", admin_pb2.NodeRequest(node=node))
        if json:
            output.print_json(forgotten)
        else:
            typer.echo(i18n.text("cli-forgotten", lang, node=forgotten.node))


def _register_vouch(nodes: typer.Typer, lang: str) -> None:
    @nodes.command(help=i18n.text("help-nodes-vouch", lang))
    def vouch(
        node: Annotated[str, typer.Argument(metavar="NODE", help=i18n.text("arg-node", lang))],
        *,
        zone: Annotated[
            str | None, typer.Option("--zone", help=i18n.text("opt-vouch-zone", lang))
        ] = None,
        site: Annotated[
            str | None, typer.Option("--site", help=i18n.text("opt-invite-site", lang))
        ] = None,
        controlled_by: Annotated[
            str | None,
            typer.Option("--controlled-by", help=i18n.text("opt-vouch-control", lang)),
        ] = None,
        evidence: Annotated[
            str | None, typer.Option("--evidence", help=i18n.text("opt-vouch-evidence", lang))
        ] = None,
        document: Annotated[str, options.document(lang)] = "",
        author: Annotated[str, typer.Option("--author", help=i18n.text("opt-author", lang))] = "",
        state: Annotated[Path | None, options.state(lang)] = None,
        json: Annotated[bool, options.json(lang)] = False,
    ) -> None:
        from entraide.v1 import admin_pb2

        request = admin_pb2.VouchNodeRequest(
            node=node,
            zone="" if zone == NOTHING else zone,
            site=site,
            controlled_by="" if controlled_by == NOTHING else controlled_by,
            evidence="" if evidence == NOTHING else evidence,
            document=document,
            author=author or getpass.getuser(),
        )
        with find_pool(state, lang).admin() as admin:
            vouched = admin.call("VouchNode", request)
        output.print_json(vouched) if json else _print(vouched, lang)


def _state(node: "admin_pb2.Node", lang: str) -> str:
    """State of a node: its approval or quarantine, else its liveness and why it takes no jobs."""
    if node.approval in ("revoked", "waiting"):
        return i18n.word("approval", node.approval, lang)
    if node.quarantine.since:
        return output.quarantine_text(node.quarantine, lang)
    state = i18n.word("state", node.state, lang) or i18n.text("cli-never-seen", lang)
    return f"{state} ({i18n.node_reason(node.reason, lang)})" if node.reason else state


def _zone_text(node: "admin_pb2.Node", lang: str) -> str:
    """The zone that the operator named; beside it what its owner says, where that differs."""
    zone = i18n.zone_name(node.zone, lang)
    if node.said_zone in ("", node.zone):
        return zone
    said = i18n.zone_name(node.said_zone, lang)
    return i18n.text("cli-zone-said", lang, place=zone, said=said)


def _row(node: "admin_pb2.Node", lang: str) -> list[str]:
    return [
        node.node,
        node.coop,
        _zone_text(node, lang),
        _state(node, lang),
        f"{node.running}/{node.slots}",
        f"{i18n.decimal(node.surplus_w, lang)} W",
        i18n.word("sandbox", node.sandbox, lang),
        ", ".join(node.models),
    ]


def _backoff_text(rest: "admin_pb2.Rest", lang: str) -> str:
    """A model's back-off on a machine: its state, the failure and the end."""
    return i18n.text(
        f"cli-{rest.state}",
        lang,
        model=rest.model,
        failure=i18n.word("failure", rest.code, lang),
        until=output.format_time(rest.until, lang),
    )


def _print(node: "admin_pb2.Node", lang: str) -> None:
    power = f"{node.device}, {i18n.decimal(node.active_w, lang)} W"
    not_vouched = i18n.text("cli-not-vouched", lang)
    lines = {
        "node": node.node,
        "coop": node.coop,
        "place": f"{node.site}, {_zone_text(node, lang)}",
        "control": i18n.word("control", node.controlled_by, lang) or not_vouched,
        "approval": i18n.word("approval", node.approval, lang),
        "state": _state(node, lang),
        "models": ", ".join(node.models),
        "running": f"{node.running}/{node.slots}",
        "surplus": f"{i18n.decimal(node.surplus_w, lang)} W",
        "evidence": evidence_text(node.surplus_evidence, node.evidence_document, lang)
        or not_vouched,
        "power": f"{power} ({i18n.word('basis', node.power_basis, lang)})",
        "prefill": f"{i18n.decimal(node.prefill_tokens_per_s, lang)}/s",
        "seen": output.format_time(node.seen_at, lang),
        "agent": node.agent,
        "sandbox": i18n.word("sandbox", node.sandbox, lang),
        "node-key": node.public_key,
    }
    if node.vouched_at:
        lines["vouched"] = _vouched_text(node, lang)
    if node.HasField("newcomer_runs"):
        lines["newcomer"] = i18n.text("cli-newcomer", lang, number=node.newcomer_runs)
    if node.data_classes:
        lines["data"] = i18n.words("data", node.data_classes, lang)
    if node.rests:
        lines["resting"] = ", ".join(_backoff_text(rest, lang) for rest in node.rests)
    if node.marks:
        lines["marks"] = ", ".join(
            i18n.text("cli-mark", lang, mark=i18n.word("mark", code, lang), times=node.marks[code])
            for code in sorted(node.marks)
        )
    headings = {name: i18n.text(f"col-{name}", lang) for name in lines}
    width = max(map(len, headings.values()))
    for name, value in lines.items():
        typer.echo(f"{headings[name].ljust(width)}  {value}")
    for line in load_refusal_lines([node], lang):
        typer.echo(line)


def _vouched_text(node: "admin_pb2.Node", lang: str) -> str:
    """When, and by whom, the operator last vouched for a machine."""
    author = {"author": printable(node.vouched_by)} if node.vouched_by else {}
    return i18n.text("cli-vouched", lang, when=output.format_time(node.vouched_at, lang), **author)


def evidence_text(evidence: str, document: str, lang: str) -> str:
    """Returns what backs a surplus, and the name of the document; "" if nothing does."""
    if not evidence:
        return ""
    named = i18n.word("evidence", evidence, lang)
    return i18n.text("cli-evidence", lang, evidence=named, document=printable(document))


def load_refusal_lines(nodes: "Sequence[admin_pb2.Node]", lang: str) -> list[str]:
    """Returns a line for each model that a node failed to load on request."""
    return [
        i18n.text(
            "cli-load-refused",
            lang,
            node=node.node,
            model=refusal.model,
            when=output.format_time(refusal.at, lang),
            failure=refusal.code,
            code=refusal.code,
        )
        for node in nodes
        for refusal in node.load_refusals
    ]

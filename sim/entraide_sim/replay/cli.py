"""``entraide sim replay``: replays a recorded journal exactly, or under a proposed policy.

Writes files only after the recording is found complete and the policy valid.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from entraide import i18n


def add_command(sim: typer.Typer, lang: str) -> None:
    """Adds the command to the simulator's commands, in one language."""

    def text(code: str) -> str:
        return i18n.text(code, lang)

    @sim.command("replay", help=text("help-sim-replay"))
    def replay(
        journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help=text("arg-journal"))],
        *,
        out: Annotated[Path, typer.Option("--out", metavar="DIR", help=text("opt-sim-out"))],
        policy: Annotated[
            str, typer.Option("--policy", metavar="F", help=text("opt-sim-policy"))
        ] = "",
        as_json: Annotated[bool, typer.Option("--json", help=text("opt-json"))] = False,
    ) -> None:
        raise typer.Exit(run_replay(journal, policy, out, lang=lang, as_json=as_json))


def run_replay(journal: Path, policy: str, out: Path, *, lang: str, as_json: bool) -> int:
    """Replays a recording; returns 1 if the replay diverges.

    Raises:
        EntraideError: the recording or the policy cannot be used; in the reader's language.
    """
    from entraide.errors import EntraideError, error_for

    try:
        return _replay_journal(journal, policy, out, lang=lang, as_json=as_json)
    except EntraideError as problem:
        sentence = i18n.error(problem.code, lang, problem.values)
        raise error_for(problem.code, sentence, values=problem.values) from problem


def _replay_journal(journal: Path, policy: str, out: Path, *, lang: str, as_json: bool) -> int:
    from entraide_scheduler.core import snapshot
    from entraide_sim import output_files
    from entraide_sim.cli_output import print_report_path
    from entraide_sim.replay import cli_output, policy_comparison, recording, report_inputs
    from entraide_sim.replay.recorded_history import RecordedHistory
    from entraide_sim.report import write_report

    head = recording.read_head(journal)
    recording.restore_core(journal, head)
    history = RecordedHistory(snapshot.read(head.core))
    exact, core = recording.replay_exactly(journal, head, watch=history.observe)
    document: dict[str, Any] = {"exact": exact.diverged is None, **msgspec.to_builtins(exact)}
    if exact.diverged is None and policy:
        proposed = policy_comparison.read_policy(policy, history.policy)
        grid = report_inputs.build_grid(history, exact)
        compared = policy_comparison.compare_policies(
            journal, head, history=history, exact=exact, core=core, proposed=proposed, grid=grid
        )
        document["compared"] = cli_output.comparison_to_json(compared)
        command = f"entraide sim replay {journal} --policy {policy}"
        results = report_inputs.build_results(
            compared, history=history, exact=exact, grid=grid, proposed=proposed, command=command
        )
        output_files.write_json(out / "replay.json", document)
        write_report(out / "report.html", results, lang=lang)
        if not as_json:
            cli_output.print_exact_replay(exact, lang)
            cli_output.print_comparison(compared, lang)
            print_report_path(out, lang)
    else:
        output_files.write_json(out / "replay.json", document)
        if not as_json:
            cli_output.print_exact_replay(exact, lang)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    return 0 if exact.diverged is None else 1

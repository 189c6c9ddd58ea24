"""``entraide sim replay``: replays a recorded journal, exactly or with a change.

The change is a proposed policy, a higher demand, or both. Writes files only after the recording is
found complete and the policy valid.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from msgspec import Struct

from entraide import i18n

if TYPE_CHECKING:
    from entraide_sim.replay import Baseline
    from entraide_sim.replay.policy_comparison import PolicyComparison

GROWTH_PERCENT_MAX = 1_000.0


class Proposal(Struct, frozen=True):
    """What is compared with the recorded past: ``""`` and 0 for nothing.

    Attributes:
        policy: a file of policy keys, or a picker's name.
        growth_percent: how much more demand.
    """

    policy: str = ""
    growth_percent: float = 0.0

    @property
    def typed(self) -> str:
        """The options of the command, as a reader would type them."""
        policy = f" --policy {self.policy}" if self.policy else ""
        return policy + (f" --growth {self.growth_percent:g}" if self.growth_percent else "")


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
        growth: Annotated[
            float,
            typer.Option(
                "--growth",
                metavar="%",
                min=0.0,
                max=GROWTH_PERCENT_MAX,
                help=text("opt-sim-growth"),
            ),
        ] = 0.0,
        as_json: Annotated[bool, typer.Option("--json", help=text("opt-json"))] = False,
    ) -> None:
        proposal = Proposal(policy, growth)
        raise typer.Exit(run_replay(journal, proposal, out, lang=lang, as_json=as_json))


def run_replay(journal: Path, proposal: Proposal, out: Path, *, lang: str, as_json: bool) -> int:
    """Replays a recording; returns 1 if the replay diverges, or if nothing could be compared.

    Raises:
        EntraideError: the recording or the policy cannot be used; in the reader's language.
    """
    from entraide.errors import EntraideError, error_for

    try:
        return _replay_journal(journal, proposal, out, lang=lang, as_json=as_json)
    except EntraideError as problem:
        sentence = i18n.error(problem.code, lang, problem.values)
        raise error_for(problem.code, sentence, values=problem.values) from problem


def _replay_journal(
    journal: Path, proposal: Proposal, out: Path, *, lang: str, as_json: bool
) -> int:
    from entraide_sim.output import output_files, print_report_path
    from entraide_sim.replay import baseline as lives
    from entraide_sim.replay import cli_output, policy_comparison, report_inputs

    replayed = policy_comparison.replay_journal(journal)
    exact = replayed.exact
    document: dict[str, Any] = {"exact": exact.diverged is None, **msgspec.to_builtins(exact)}
    baseline: Baseline | None = None
    compared: PolicyComparison | None = None
    if exact.diverged is None and proposal != Proposal():
        proposed = None
        if proposal.policy:
            proposed = policy_comparison.read_policy(proposal.policy, replayed.history.policy)
        past = policy_comparison.repeat_past(replayed)
        baseline = past.baseline
        document["baseline"] = msgspec.to_builtins(baseline)
        if baseline.verdict == lives.EQUAL:
            growth = proposal.growth_percent / 100.0
            compared = policy_comparison.compare_policies(
                replayed, past, proposed=proposed, growth=growth
            )
            document["compared"] = cli_output.comparison_to_json(compared)
            command = f"entraide sim replay {journal}{proposal.typed}"
            report_inputs.write_replay_report(
                out / "report.html", replayed, compared, proposed=proposed, command=command,
                lang=lang,
            )  # fmt: skip
    output_files.write_json(out / "replay.json", document)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
    else:
        cli_output.print_exact_replay(exact, lang)
        cli_output.print_result(baseline, compared, lang)
        if compared is not None:
            print_report_path(out, lang)
    return 0 if exact.diverged is None and (baseline is None or compared is not None) else 1

"""Status output: what ``entraide node status`` and ``entraide node bench`` print."""

import datetime as dt
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import typer

from entraide import __version__, i18n
from entraide.errors import EntraideError
from entraide.event_loop import run_event_loop
from entraide.versions import is_older
from entraide_node.config import CONFIG_NAME, load_config
from entraide_node.core.owner_terms import OwnerTerms
from entraide_node.energy.cli_output import energy_sentences
from entraide_node.engines.base import EngineProblem
from entraide_node.error_output import error_sentence, load_failure_sentence, print_error
from entraide_node.given import given_sentences, read_given
from entraide_node.logs import log_to_folder, log_to_stderr
from entraide_node.machine_setup import benchmark_machine
from entraide_node.owner import files as owner_files
from entraide_node.owner.cli_output import owner_sentences
from entraide_node.owner.terms_file import TermsProblem, read_terms
from entraide_node.page.machine_summary import hours_sentence
from entraide_node.service_commands import restart_values
from entraide_node.update_command import find_update_command


def print_status(folder: Path, node: str, lang: str, *, as_json: bool) -> int:
    """Prints why a node works or not, and what it gave; returns the exit status."""
    status = owner_files.read_status(folder, now=time.time())
    if status is None:
        stopped = owner_files.read_stopped(folder)
        if as_json:
            document = {"node": node, "state": "stopped", "code": stopped.code}
            typer.echo(msgspec.json.encode(document).decode("utf-8"))
            return 0
        typer.echo(i18n.text("node-status-stopped", lang, node=node))
        if stopped.code:
            typer.echo(error_sentence(stopped.code, stopped.values, lang) or stopped.code)
        return 0
    if as_json:
        document = msgspec.to_builtins(status) | {"given": msgspec.to_builtins(read_given(folder))}
        typer.echo(msgspec.json.encode(document).decode("utf-8"))
        return 0
    for sentence in state_sentences(folder, status, lang):
        typer.echo(sentence)
    if status.model:
        typer.echo(
            i18n.text(
                "node-status-facts", lang, model=status.model, engine=status.engine,
                running=status.running, slots=status.slots,
                prefill=status.prefill_tokens_per_s, decode=_decode_per_s(status),
            )
        )  # fmt: skip
    if len(status.models) > 1 or any(model.state != "serving" for model in status.models):
        for model in status.models:
            typer.echo(_model_sentence(model, lang))
    for sentence_said in energy_sentences(status, lang):
        typer.echo(sentence_said)
    for sentence in given_sentences(folder, lang):
        typer.echo(sentence)
    for sentence in _version_lines(folder, status, lang):
        typer.echo(sentence)
    return 0


def _model_sentence(model: owner_files.ModelStatus, lang: str) -> str:
    return load_failure_sentence(model, lang) or i18n.text(
        "node-status-model", lang, model=model.model, state=model.state, running=model.runs
    )


def state_sentences(folder: Path, status: owner_files.NodeStatus, lang: str) -> Iterator[str]:
    """Yields why a node with a running agent works or not, and what its owner decided."""
    yield i18n.text(f"node-status-{status.state}", lang, node=status.node, **status.values)
    yield from _owner_lines(folder, status, lang)


def _owner_lines(folder: Path, status: owner_files.NodeStatus, lang: str) -> Iterator[str]:
    if status.zone_missing:
        yield i18n.text("node-status-zone", lang, node=status.node)
    yield from owner_sentences(status, lang, now=time.time())
    if status.state == "outside_hours":
        terms = read_terms(folder)
        now = dt.datetime.now()  # noqa: DTZ005  (the machine's own clock)
        yield hours_sentence(OwnerTerms() if isinstance(terms, TermsProblem) else terms, now, lang)


def _version_lines(folder: Path, status: owner_files.NodeStatus, lang: str) -> Iterator[str]:
    """Yields how to update, or to restart an agent that an update has left behind."""
    if is_older(__version__, status.pool_version):
        yield i18n.text(
            "node-status-older", lang,
            version=__version__, pool=status.pool_version, **find_update_command(folder),
        )  # fmt: skip
    elif status.version not in ("", __version__):
        restart = restart_values(load_config(folder / CONFIG_NAME))
        yield i18n.text(
            "node-status-restart", lang, version=__version__, running=status.version, **restart
        )


def _decode_per_s(status: owner_files.NodeStatus) -> float:
    tpot_s = status.tpot_base_s + status.tpot_per_sequence_s
    return 1 / tpot_s if tpot_s else 0.0


def print_bench(path: Path, lang: str, *, as_json: bool) -> int:
    """Benchmarks the engine of a configuration and prints the rates; returns the exit status."""
    log_to_stderr()
    try:
        config = load_config(path)
    except EntraideError as problem:
        print_error(problem, lang)
        return 1
    if sys.stderr.isatty():
        log_to_folder(Path(config.dir))
        typer.echo(i18n.text("node-bench-begins", lang), err=True)
    rates = run_event_loop(benchmark_machine(config))
    if isinstance(rates, EngineProblem):
        typer.echo(error_sentence(rates.code, rates.values, lang) or rates.code, err=True)
        return 1
    if as_json:
        typer.echo(msgspec.json.encode(rates).decode("utf-8"))
        return 0
    writes = rates.decode_tokens_per_s_1 > 0.0
    typer.echo(
        i18n.text(
            "node-bench" if writes else "node-bench-embeddings",
            lang,
            prefill=rates.prefill_tokens_per_s,
            one=rates.decode_tokens_per_s_1,
            four=rates.decode_tokens_per_s_4,
        )
    )
    if rates.idle_w is not None and rates.busy_w is not None:
        watts = i18n.text("node-bench-power", lang, idle=rates.idle_w, busy=rates.busy_w)
        typer.echo(watts)
    return 0

"""Self-test output: what ``entraide node selftest`` prints and writes.

Input: the options of the command. Output: the exit status; sentences or JSON on standard output,
progress and errors on standard error. The file is written once, at the end.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from entraide import i18n
from entraide.event_loop import run_event_loop
from entraide.files import write_private
from entraide_node.energy.cli_output import meter_name
from entraide_node.engines.base import EngineProblem
from entraide_node.engines.environments import default_root
from entraide_node.error_output import error_sentence
from entraide_node.hardware_output import hardware_sentences
from entraide_node.logs import log_nothing
from entraide_node.selftest.excerpts import find_own_words
from entraide_node.selftest.report import (
    REPORT_BYTES_MAX,
    EngineTrial,
    MeterTrial,
    ReportRefusal,
    SelftestReport,
    decode_report,
    encode_report,
)
from entraide_node.selftest.selftest import IDLE_S, Step, run_selftest

BUSY_PERCENT_MIN = 10.0  # load by other programs from which speeds are too low


def print_selftest(lang: str, *, out: Path | None, as_json: bool, idle_s: float = IDLE_S) -> int:
    """Runs the self-test, prints it, and writes its report; returns the exit status.

    Args:
        lang: language of the sentences.
        out: file of the report, which must not be there yet; None to write none.
        as_json: whether to print the report instead of sentences.
        idle_s: duration of the idle time.
    """
    log_nothing()
    if out is not None and (problem := _find_out_problem(out, lang)):
        sys.stderr.write(f"{problem}\n")
        return 1
    try:
        report = run_event_loop(_run(lang, idle_s=idle_s))
    except asyncio.CancelledError:  # asked to end by a signal
        raise KeyboardInterrupt from None
    content = encode_report(report)
    refusal = decode_report(content, find_own_words())
    if isinstance(refusal, ReportRefusal):  # not to be sent, whatever it is
        sys.stderr.write(f"{refusal_sentence(refusal, lang, file=str(out or '-'))}\n")
        return 1
    if as_json:
        sys.stdout.write(content.decode())
    else:
        for sentence in report_sentences(report, lang):
            sys.stdout.write(f"{sentence}\n")
    if out is None:
        return 0
    try:
        write_private(out, content)
    except OSError as error:
        detail = error.strerror or ""
        words = i18n.text("node-selftest-unwritten", lang, file=str(out), detail=detail)
        sys.stderr.write(f"{words}\n")
        return 1
    sys.stderr.write(f"{i18n.text('node-selftest-written', lang, file=str(out))}\n")
    return 0


def print_report(path: Path, lang: str, *, as_json: bool) -> int:
    """Checks the report in a file and prints it; returns 1 if it is refused."""
    try:
        with path.open("rb") as file:
            content = file.read(REPORT_BYTES_MAX + 1)
    except OSError as error:
        detail = error.strerror or ""
        words = i18n.text("node-report-unread", lang, file=str(path), detail=detail)
        sys.stderr.write(f"{words}\n")
        return 1
    report = decode_report(content, find_own_words())
    if isinstance(report, ReportRefusal):
        sys.stderr.write(f"{refusal_sentence(report, lang, file=str(path))}\n")
        return 1
    if as_json:
        sys.stdout.write(encode_report(report).decode())
        return 0
    for sentence in report_sentences(report, lang):
        sys.stdout.write(f"{sentence}\n")
    sys.stdout.write(f"{i18n.text('node-report-valid', lang, day=report.made_on)}\n")
    return 0


def refusal_sentence(refusal: ReportRefusal, lang: str, *, file: str) -> str:
    """Returns why a report is refused."""
    code = f"node-{refusal.code.replace('_', '-')}"
    return i18n.text(code, lang, file=file, detail=refusal.detail or i18n.ABSENT)


def report_sentences(report: SelftestReport, lang: str) -> Iterator[str]:
    """Yields what a report says, as sentences."""
    yield from hardware_sentences(report.hardware, lang)
    yield i18n.text(
        "node-selftest-idle", lang, took_s=report.idle.took_s, load=report.idle.load_percent,
        temperature=_or_absent(report.idle.temperature_c),
    )  # fmt: skip
    for meter in report.meters:
        yield _meter_sentence(meter, lang)
    if not report.meters:
        yield i18n.text("node-selftest-no-meter", lang)
    for engine in report.engines:
        yield _engine_sentence(engine, lang)
    if any((engine.others_percent or 0.0) >= BUSY_PERCENT_MIN for engine in report.engines):
        yield i18n.text("node-selftest-busy", lang)
    if report.battery is not None:
        plugged = report.battery.plugged
        yield i18n.text(
            "node-selftest-battery", lang, charge=report.battery.charge_percent,
            plugged=i18n.ABSENT if plugged is None else plugged,
        )  # fmt: skip
    if report.throttled is not None:
        yield i18n.text("node-selftest-heat", lang, throttled=report.throttled)
    yield i18n.text(
        "node-selftest-service", lang, manager=report.service.manager,
        lingers=not report.service.needs_linger,
    )  # fmt: skip
    yield i18n.text(
        "node-selftest-sleep", lang, lock=report.sleep.lock,
        can_sleep=report.sleep.can_sleep or i18n.ABSENT, wake_timer=report.sleep.wake_timer,
        wake_network=report.sleep.wake_network,
    )  # fmt: skip
    sandbox = report.sandbox
    code = f"doctor-sandbox-{sandbox.problem or 'ok'}"
    yield i18n.text(code, lang, version=sandbox.landlock)


def _meter_sentence(meter: MeterTrial, lang: str) -> str:
    name = meter_name(meter.kind, lang)
    if meter.fault:
        fault = i18n.text(f"meter-fault-{meter.fault}", lang)
        return i18n.text("node-selftest-meter-fault", lang, meter=name, fault=fault)
    return i18n.text(
        "node-selftest-meter", lang, meter=name, update=_or_absent(meter.update_ms),
        idle_w=_or_absent(meter.gauge_w if meter.idle_w is None else meter.idle_w),
    )  # fmt: skip


def _engine_sentence(engine: EngineTrial, lang: str) -> str:
    if engine.problem:
        return i18n.text(
            "node-selftest-engine-problem", lang, engine=engine.engine, code=engine.problem
        )
    return i18n.text(
        "node-selftest-engine", lang, engine=engine.engine, version=engine.version,
        model=engine.model, start_s=engine.start_s, prefill=engine.prefill_tokens_per_s,
        one=engine.decode_tokens_per_s_1, four=engine.decode_tokens_per_s_4,
        busy_w=_or_absent(engine.busy_w),
    )  # fmt: skip


def _or_absent(value: float | None) -> i18n.Value:
    return i18n.ABSENT if value is None else value


def _find_out_problem(out: Path, lang: str) -> str:
    """Why a report cannot be written there; "" if it can. Found before the five minutes."""
    if out.exists():
        return i18n.text("node-selftest-exists", lang, file=str(out))
    if not out.absolute().parent.is_dir():
        return i18n.text("node-selftest-no-folder", lang, folder=str(out.absolute().parent))
    return ""


async def _run(lang: str, *, idle_s: float) -> SelftestReport:
    """Runs the self-test; a signal to end cancels it, so that no engine is left."""

    def tell_step(step: Step, engine: str) -> None:
        words = i18n.text(f"node-selftest-step-{step}", lang, engine=engine, idle_s=idle_s)
        sys.stderr.write(f"{words}\n")

    def tell_problem(engine: str, problem: EngineProblem) -> None:
        sentence = error_sentence(problem.code, problem.values, lang) or problem.code
        words = i18n.text("node-selftest-problem", lang, engine=engine, problem=sentence)
        sys.stderr.write(f"{words}\n")

    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run_selftest(
        root=default_root(), own_words=find_own_words(), tell_step=tell_step,
        tell_problem=tell_problem, idle_s=idle_s,
    )  # fmt: skip

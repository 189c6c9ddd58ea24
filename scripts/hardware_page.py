"""Makes `docs/reference/hardware.md` from the reports in `docs/reference/hardware`.

A report is what `entraide node selftest --out FILE` wrote on a machine. It is read as a stranger's
file is: one that is refused ends the script with its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from entraide_node.energy.device_catalogue import devices
from entraide_node.hardware_detection import build_hardware
from entraide_node.selftest.report import (
    EngineTrial,
    MeterTrial,
    ReportRefusal,
    SelftestReport,
    decode_report,
)

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "docs/reference/hardware"
GIB = 1024**3

HEAD = """\
# Hardware that was tried

Made from the reports in [`docs/reference/hardware`](hardware) by `python scripts/reference.py`; do
not edit.

Each machine below was tried by `entraide node selftest --out FILE`, on the machine itself: it runs
each engine that is installed for some seconds with a model of 135 million parameters, reads the
energy counters against a stopwatch, and asks the system what it offers.
[The guide](../guides/run-a-node.md#try-a-machine) says what a report holds and how to send one.
What no report covers is in [hardware that was not tried](hardware-untried.md).

Speeds are those of a toy model, to compare machines and to see that an engine works. Power is the
counter's: of the processor or the cards, without the losses of the power supply. Tokens
are written for one request, or for four at once. Where other programs used much of the processors
meanwhile (last column), the speeds are too low.

"""
ABSENT = "–"
SUMMARY = """\
| machine | processor | graphics | memory | engines that ran | meters | sandbox | report |
|---|---|---|---|---|---|---|---|
"""
ENGINES = """
| engine | model | ready after | reads | writes, one | writes, four | power | sandbox | others |
|---|---|---|---|---|---|---|---|---|
"""
METERS = """
| meter | changes every | one reading takes | when idle | shown by the meter itself |
|---|---|---|---|---|
"""
SYSTEM = """
| what | result |
|---|---|
"""


def hardware_page() -> str:
    """Returns the page of the machines that were tried."""
    reports = dict(read_reports())
    lines = [HEAD, SUMMARY, *(summary_row(name, report) for name, report in reports.items())]
    for name, report in reports.items():
        lines += machine_section(name, report)
    return "".join(lines)


def read_reports() -> Iterator[tuple[str, SelftestReport]]:
    """Yields the name of each report's file, without its ending, and the report."""
    for path in sorted(REPORTS.glob("*.json")):
        report = decode_report(path.read_bytes())
        if isinstance(report, ReportRefusal):
            raise SystemExit(f"{path.relative_to(ROOT)}: {report.code} {report.detail}")
        yield path.stem, report


def summary_row(name: str, report: SelftestReport) -> str:
    """Returns the row of one machine."""
    hardware = build_hardware(report.text)
    ran = ", ".join(engine.engine for engine in report.engines if not engine.problem)
    meters = ", ".join(meter.kind for meter in report.meters if not meter.fault)
    sandbox = f"Landlock {report.sandbox.landlock}" if not report.sandbox.problem else "none"
    graphics = ", ".join(gpu.name or gpu.kind for gpu in hardware.gpus)
    return (
        f"| [{name}](#{name}) | {hardware.cpu or ABSENT} | {graphics or ABSENT} "
        f"| {hardware.memory_bytes / GIB:.1f} GiB | {ran or ABSENT} | {meters or 'none'} "
        f"| {sandbox} | [`{name}.json`](hardware/{name}.json) |\n"
    )


def machine_section(name: str, report: SelftestReport) -> Iterator[str]:
    """Yields the section of one machine."""
    yield f"\n## {name}\n"
    yield SYSTEM
    for what, result in system_rows(report):
        yield f"| {what} | {result} |\n"
    if report.engines:
        yield ENGINES
        yield from (engine_row(engine) for engine in report.engines)
    if report.meters:
        yield METERS
        yield from (meter_row(meter) for meter in report.meters)


def system_rows(report: SelftestReport) -> Iterator[tuple[str, str]]:
    """Yields what the report says of the machine and its system."""
    hardware, idle = build_hardware(report.text), report.idle
    known = devices()[hardware.device]
    yield "tried on", f"{report.made_on}, in {report.took_s:.0f} s, with {report.entraide}"
    yield "system", f"{hardware.os} {report.kernel}, {hardware.arch}, Python {report.python}"
    features = ", ".join(hardware.cpu_features) or "none"
    yield "processor", f"{hardware.cpu or ABSENT}, {hardware.cores} cores ({features})"
    for gpu in hardware.gpus:
        yield "graphics", f"{gpu.name or gpu.kind}, {gpu.memory_bytes / GIB:.1f} GiB"
    yield (
        "catalogue",
        (f"`{hardware.device}`: {known.idle_w:g} W when idle, {known.active_w:g} W when working"),
    )
    heat = f", {idle.temperature_c:.0f} °C" if idle.temperature_c is not None else ""
    yield "idle time", f"{idle.took_s:.0f} s, {idle.load_percent:g} % of the processors busy{heat}"
    yield "temperature", "read" if hardware.thermals else "cannot be read"
    battery = report.battery
    yield "battery", f"{battery.charge_percent:g} %" if battery is not None else "none"
    yield "energy meters", ", ".join(meter.kind for meter in report.meters) or "none"
    if report.throttled is not None:
        yield "slowed down for heat", "yes" if report.throttled else "no"
    ends = ", ends when its owner logs out" if report.service.needs_linger else ""
    yield "service of the account", f"{report.service.manager}{ends}"
    sleep = report.sleep
    yield "kept awake by", sleep.lock
    yield "may be put to sleep", sleep.can_sleep or "the system does not say"
    clock = "a clock" if sleep.wake_timer else "no clock"
    yield "woken by", f"{clock}, {sleep.wake_network} network cards"
    sandbox = report.sandbox
    seccomp = "filter of system calls" if sandbox.seccomp else "no filter of system calls"
    problem = f"none ({sandbox.problem})" if sandbox.problem else f"Landlock {sandbox.landlock}"
    yield "sandbox", f"{problem}, {seccomp}"


def engine_row(engine: EngineTrial) -> str:
    """Returns the row of an engine."""
    name = f"{engine.engine} {engine.version}".strip()
    if engine.problem:
        return f"| {name} | {engine.model} | did not run: `{engine.problem}` | | | | | | |\n"
    power = f"{engine.busy_w:g} W" if engine.busy_w is not None else ABSENT
    others = f"{engine.others_percent:g} %" if engine.others_percent is not None else ABSENT
    return (
        f"| {name} | {engine.model} | {engine.start_s:g} s "
        f"| {engine.prefill_tokens_per_s:g} tokens/s | {engine.decode_tokens_per_s_1:g} tokens/s "
        f"| {engine.decode_tokens_per_s_4:g} tokens/s | {power} | {engine.sandbox} | {others} |\n"
    )


def meter_row(meter: MeterTrial) -> str:
    """Returns the row of a meter."""
    if meter.fault:
        return f"| {meter.kind} | no value: `{meter.fault}` | | | |\n"
    update = f"{meter.update_ms:g} ms" if meter.update_ms is not None else ABSENT
    idle = f"{meter.idle_w:g} W" if meter.idle_w is not None else ABSENT
    gauge = f"{meter.gauge_w:g} W" if meter.gauge_w is not None else ABSENT
    return f"| {meter.kind} | {update} | {meter.read_ms:g} ms | {idle} | {gauge} |\n"

"""The report: the file of a self-test, how it is written, and how a foreign one is read.

Input: the bytes of a file. Output: ``SelftestReport``, or why it is refused. A report is in one
form only: the bytes that ``encode_report`` makes of its kept text. So a field, a line or a value
that a self-test does not write is never accepted, wherever it stands, and neither is a name twice.
A field with its default is not written: one that is added later, last and with a default, leaves
earlier reports valid.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from entraide.decoding import JsonDecoder
from entraide.form_faults import find_form_fault
from entraide.types import Basis, Sandbox
from entraide_node.core.hardware import Hardware
from entraide_node.hardware_detection import build_hardware
from entraide_node.hardware_text import HardwareText
from entraide_node.selftest.excerpts import OwnWords, keep_text

FORMAT: Literal["entraide selftest 1"] = "entraide selftest 1"
REPORT_BYTES_MAX = 256 * 1024

Seconds = Annotated[float, Meta(ge=0.0, le=86_400.0)]
Milliseconds = Annotated[float, Meta(ge=0.0, le=86_400_000.0)]
Watts = Annotated[float, Meta(ge=0.0, le=100_000.0)]
Celsius = Annotated[float, Meta(ge=-50.0, le=200.0)]
Percent = Annotated[float, Meta(ge=0.0, le=100.0)]
PerSecond = Annotated[float, Meta(ge=0.0, le=10_000_000.0)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}\Z")]
_VERSION = r"\d{1,5}(?:\.\d{1,5}){0,3}(?:(?:a|b|rc|\.post|\.dev)\d{1,4})?"
Version = Annotated[str, Meta(pattern=rf"^(?:{_VERSION})?\Z")]
Code = Annotated[str, Meta(pattern=r"^[a-z_]{0,40}\Z")]

MeterKind = Literal["rapl", "nvml", "mac"]
MeterFault = Literal["", "not_allowed", "gone", "unavailable", "still"]
EngineKind = Literal["llama.cpp", "mlx-lm", "vllm"]


class MeterTrial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A meter of the machine against a stopwatch.

    Attributes:
        kind: ``rapl``, ``nvml`` or ``mac``.
        fault: why it gives no value; "" if it does.
        parts: components that it counts.
        changes: how often its value changed while it was read as fast as possible.
        update_ms: median time between two changes; None with fewer than two.
        read_ms: mean time of one reading.
        idle_w: mean power of the idle time: counted joules by the stopwatch's seconds.
        gauge_w: mean of the power that the same meter shows directly in that time; None if it
            shows none.
    """

    kind: MeterKind
    fault: MeterFault = ""
    parts: Count = 0
    changes: Count = 0
    update_ms: Milliseconds | None = None
    read_ms: Milliseconds = 0.0
    idle_w: Watts | None = None
    gauge_w: Watts | None = None


class IdleTrial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The machine before an engine ran.

    Attributes:
        took_s: duration.
        load_percent: share of all processors that programs used.
        temperature_c: of the processor at the end; None if it cannot be read.
    """

    took_s: Seconds
    load_percent: Percent
    temperature_c: Celsius | None = None


class EngineTrial(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """An engine that was installed, with the demonstration's model.

    Attributes:
        engine: its kind.
        version: of its package.
        model: the demonstration's model, or one of the same shape with random weights.
        problem: stable code of why there are no rates; "" if there are.
        sandbox: what closed its process in.
        start_s: time until it was ready.
        prefill_tokens_per_s: of one prompt.
        decode_tokens_per_s_1, decode_tokens_per_s_4: output of one sequence, and of four together.
        basis: ``measured``, or ``estimated`` if the engine reported no token counts.
        busy_w: mean power with four sequences; None without a meter.
        others_percent: share of all processors that other programs used; None if unknown.
        temperature_c: of the processor at the end; None if it cannot be read.
        ended: whether its process was gone after it was stopped.
    """

    engine: EngineKind
    version: Version
    model: Literal["smollm2-135m-instruct", "random-135m"]
    problem: Code = ""
    sandbox: Sandbox = Sandbox.NONE
    start_s: Seconds = 0.0
    prefill_tokens_per_s: PerSecond = 0.0
    decode_tokens_per_s_1: PerSecond = 0.0
    decode_tokens_per_s_4: PerSecond = 0.0
    basis: Basis = Basis.MEASURED
    busy_w: Watts | None = None
    others_percent: Percent | None = None
    temperature_c: Celsius | None = None
    ended: bool = True


class BatteryFacts(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A battery: its charge, and whether the machine was plugged in; None if unknown."""

    charge_percent: Percent
    plugged: bool | None = None


class ServiceFacts(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What would run the agent as a service.

    Attributes:
        manager: ``systemd`` or ``launchd``, of the account; ``none`` without one.
        needs_linger: whether a service would end when its owner logs out.
    """

    manager: Literal["systemd", "launchd", "none"]
    needs_linger: bool = False


class SleepFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the system offers for sleep and wake; nothing of it was used.

    Attributes:
        lock: what keeps the machine awake while it works: it was taken and let go.
        can_sleep: logind's answer to whether this account may let the machine sleep; "" without
            logind.
        wake_timer: whether a clock can wake it.
        wake_network: network cards that may wake it, as they are set now.
    """

    lock: Literal["logind", "caffeinate", "none"]
    can_sleep: Literal["", "yes", "no", "challenge", "na"] = ""
    wake_timer: bool = False
    wake_network: Annotated[int, Meta(ge=0, le=64)] = 0


class SandboxFacts(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What engines can be closed in by.

    Attributes:
        problem: why there is no sandbox; "" if there is.
        landlock: version of the kernel's Landlock; 0 without it.
        seccomp: whether the kernel filters system calls.
    """

    problem: Literal["", "system", "processor", "landlock"]
    landlock: Annotated[int, Meta(ge=0, le=100)] = 0
    seccomp: bool = False


class SelftestReport(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The report of one machine.

    Attributes:
        format: the version of this form.
        made_on: day of the test, in UTC.
        took_s: duration of the test.
        entraide, python, kernel: versions.
        text: what the system said, the allowed parts.
        hardware: what detection made of that text.
        idle: the machine before an engine ran.
        meters: its energy meters.
        engines: each engine that is installed.
        battery: None without one.
        throttled: whether a Mac slowed down for heat; None elsewhere.
        service, sleep, sandbox: what the system offers.
    """

    format: Literal["entraide selftest 1"]
    made_on: Day
    took_s: Seconds
    entraide: Version
    python: Version
    kernel: Version
    text: HardwareText
    hardware: Hardware
    idle: IdleTrial
    meters: Annotated[tuple[MeterTrial, ...], Meta(max_length=8)] = ()
    engines: Annotated[tuple[EngineTrial, ...], Meta(max_length=8)] = ()
    battery: BatteryFacts | None = None
    throttled: bool | None = None
    service: ServiceFacts
    sleep: SleepFacts
    sandbox: SandboxFacts


class ReportRefusal(Struct, frozen=True):
    """Why a file is no report.

    Attributes:
        code: ``report_too_large``, ``report_not``, ``report_holds_more``, ``report_personal`` or
            ``report_differs``; the message catalogue has its sentence under ``node-CODE`` with
            ``_`` as ``-``.
        detail: key, path or command of the fault, or "".
    """

    code: str
    detail: str = ""


_DECODER: JsonDecoder[SelftestReport] = JsonDecoder(SelftestReport)


def keep_version(raw: str) -> str:
    """Returns a version without what a maker or an owner added to it; "" if it is none.

    >>> keep_version("6.8.0-45-generic"), keep_version("0.11.0+cpu"), keep_version("main")
    ('6.8.0', '0.11.0', '')
    """
    match = re.match(_VERSION, raw)
    return match[0] if match else ""


def encode_report(report: SelftestReport) -> bytes:
    """Returns the bytes of a report: JSON, a field in each line."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def decode_report(data: bytes, own_words: OwnWords = frozenset()) -> SelftestReport | ReportRefusal:
    """Returns the report in a file, or why it is refused.

    Args:
        data: content of the file; line ends of Windows are accepted.
        own_words: names of the machine and its account that the report may not have.
    """
    if len(data) > REPORT_BYTES_MAX:
        return ReportRefusal("report_too_large")
    data = data.replace(b"\r\n", b"\n")
    try:
        report = _DECODER.decode(data)
    except msgspec.DecodeError as problem:
        return ReportRefusal("report_not", find_form_fault(problem).key)
    kept = msgspec.structs.replace(report, text=keep_text(report.text))
    if encode_report(kept) != data:
        return ReportRefusal("report_holds_more", _find_difference(report.text, kept.text))
    if keep_text(report.text, own_words) != report.text:
        return ReportRefusal("report_personal")
    if not _is_same_hardware(report.hardware, build_hardware(report.text)):
        return ReportRefusal("report_differs")
    return report


def _find_difference(text: HardwareText, kept: HardwareText) -> str:
    """The first path or command whose text may not be there; "" if the fault is elsewhere."""
    for given, allowed in ((text.files, kept.files), (text.commands, kept.commands)):
        for name, value in given.items():
            if allowed.get(name) != value:
                return name
    return ""


def _is_same_hardware(stated: Hardware, built: Hardware) -> bool:
    """Whether both are equal, but for the entry of a catalogue that has grown since."""
    return stated == built or (
        stated.device.startswith("default-")
        and msgspec.structs.replace(stated, device=built.device) == built
    )

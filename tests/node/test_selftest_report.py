"""The report of a self-test: what it keeps of a system's text, and what is refused in a file."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import all_cases
from tests.hostile.mutations import text_like
from tests.hostile.strategies import FUZZ
from tests.house.source import ROOT
from tests.node.selftest_samples import (
    APPLE,
    HOME,
    HOST,
    LINUX,
    MAC,
    OWN_WORDS,
    PERSONAL,
    SERIAL,
    SUPPLY,
    make_report,
)

from entraide import i18n
from entraide.language import LANGUAGES
from entraide_node.hardware_detection import build_hardware
from entraide_node.hardware_text import HardwareText
from entraide_node.selftest import cli_output, excerpts
from entraide_node.selftest.report import (
    REPORT_BYTES_MAX,
    ReportRefusal,
    SelftestReport,
    decode_report,
    encode_report,
)

REPORTS = sorted((ROOT / "docs/reference/hardware").glob("*.json"))
SAMPLES = {"Linux": LINUX, "a Mac": APPLE}


@all_cases("path", REPORTS, ids=lambda path: path.name)
def test_each_report_is_read_as_on_its_machine(path: Path) -> None:
    """The parsers make of a machine's text what they made of it on that machine."""
    report = decode_report(path.read_bytes())

    assert isinstance(report, SelftestReport)
    assert report.hardware == build_hardware(report.text)
    assert path.read_bytes() == encode_report(report)
    assert re.fullmatch(r"[a-z0-9-]+", path.stem)


def test_there_is_a_report() -> None:
    """The repository has a report of a Linux processor, with an engine that ran there."""
    reports = [decode_report(path.read_bytes()) for path in REPORTS]

    assert any(
        report.hardware.os == "linux" and any(not engine.problem for engine in report.engines)
        for report in reports
        if isinstance(report, SelftestReport)
    )


@all_cases("text", SAMPLES.values(), ids=SAMPLES)
def test_a_report_has_no_personal_data(text: HardwareText) -> None:
    """No name, address, path or serial number is in a report, wherever a system printed it."""
    assert any(value in str(msgspec.to_builtins(text)) for value in PERSONAL)
    content = encode_report(make_report(text))

    assert [] == [value for value in PERSONAL if value.lower() in content.decode().lower()]
    assert decode_report(content, OWN_WORDS) == make_report(text)


def test_what_a_report_keeps() -> None:
    """A report keeps what the parsers need: they find the same machine in it."""
    linux, mac = make_report(LINUX).text, make_report(APPLE).text

    assert build_hardware(LINUX).cpu == build_hardware(linux).cpu
    assert build_hardware(LINUX).gpus[1:] == build_hardware(linux).gpus[1:]
    assert build_hardware(linux).battery
    assert build_hardware(linux).thermals
    assert build_hardware(APPLE) == build_hardware(mac)
    assert "package-0" == linux.files["/sys/class/powercap/intel-rapl:0/name"]
    assert "s2idle [deep]" == linux.files["/sys/power/mem_sleep"]
    assert "Device" == linux.files[f"{SUPPLY}/supply1/scope"]
    assert "womp\nsleep\n" == mac.commands[excerpts.SLEEP]
    assert "womp 1\nstandby 1\n" == mac.commands[excerpts.SLEEP_SETTINGS]


def planted(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A Linux report in which somebody changed something, in the form of a report."""
    document = json.loads(encode_report(make_report(LINUX)))
    change(document)
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def plant_file(path: str, text: str) -> bytes:
    """A report with a file more, or another text of one."""

    def change(document: dict[str, Any]) -> None:
        files = document["text"]["files"] | {path: text}
        document["text"]["files"] = dict(sorted(files.items()))

    return planted(change)


def plant_field(*names: str, value: object) -> bytes:
    """A report with a field more, or another value of one."""

    def change(document: Any) -> None:
        for name in names[:-1]:
            document = document[int(name) if name.isdecimal() else name]
        document[names[-1]] = value

    return planted(change)


VALID = encode_report(make_report(LINUX))
KEPT = make_report(LINUX).text.files
REFUSALS = {
    "a host name in a field of its own": (plant_field("host", value=HOST), "report_not"),
    "a path in a field of a part": (plant_field("sleep", "home", value=HOME), "report_not"),
    "a serial number in a line": (
        plant_file("/proc/cpuinfo", f"{KEPT['/proc/cpuinfo']}Serial\t: {SERIAL}\n"),
        "report_holds_more",
    ),
    "a host name in a file of its own": (
        plant_file("/proc/sys/kernel/hostname", HOST), "report_holds_more",
    ),
    "a path of the home": (plant_file(f"{HOME}/.bashrc", ""), "report_holds_more"),
    "a hardware address as a name": (
        plant_file(f"{SUPPLY}/hid-{MAC}-battery/type", "Battery"), "report_holds_more",
    ),
    "a path in a processor's name": (
        plant_file("/proc/cpuinfo", f"model name\t: {HOME}\n"), "report_holds_more",
    ),
    "a command that no self-test runs": (
        plant_field("text", "commands", value={"whoami": HOST}), "report_holds_more",
    ),
    "this machine's name in a machine's": (
        plant_file("/sys/class/dmi/id/product_name", f"PC {HOST}"), "report_personal",
    ),
    "a word in the place of a version": (plant_field("kernel", value=HOST), "report_not"),
    "a word in the place of a code": (
        plant_field("engines", "0", "problem", value=HOME), "report_not",
    ),
    "hardware that the text does not show": (
        plant_field("hardware", "cpu", value="Intel 8086"), "report_differs",
    ),
    "a field twice": (
        VALID.replace(b' "took_s": 140.0', f' "took_s": "{HOST}",\n "took_s": 140.0'.encode()),
        "report_not",
    ),
    "a number twice": (
        VALID.replace(b' "took_s": 140.0', b' "took_s": 1.0,\n "took_s": 140.0'),
        "report_holds_more",
    ),
    "more than the document": (VALID + b" \n", "report_holds_more"),
    "half a file": (VALID[: len(VALID) // 2], "report_not"),
    "nothing": (b"", "report_not"),
    "no text": (b"\xff\xfe", "report_not"),
    "lists too deep": (b"[" * 100_000, "report_not"),
    "too much": (VALID + b" " * REPORT_BYTES_MAX, "report_too_large"),
    "a number that is none": (VALID.replace(b"140.0", b"NaN"), "report_not"),
    "a machine of no size": (plant_field("text", "memory_bytes", value=-1), "report_not"),
}  # fmt: skip


@all_cases(("content", "code"), REFUSALS.values(), ids=REFUSALS)
def test_a_report_that_holds_more_is_refused(content: bytes, code: str) -> None:
    """A report with anything that a self-test does not write is refused, with a sentence."""
    refusal = decode_report(content, OWN_WORDS)

    assert isinstance(refusal, ReportRefusal)
    assert code == refusal.code
    for lang in LANGUAGES:
        sentence = cli_output.refusal_sentence(refusal, lang, file="r.json")
        assert "r.json" in sentence
        assert i18n.HOLE not in sentence


def test_line_ends_of_windows() -> None:
    """A report that came by mail with other line ends is the same."""
    assert make_report(LINUX) == decode_report(VALID.replace(b"\n", b"\r\n"))


@FUZZ
@given(
    cpuinfo=text_like(LINUX.files["/proc/cpuinfo"].encode()),
    profile=text_like(APPLE.commands["system_profiler"].encode()),
    battery=text_like(APPLE.commands[excerpts.IOREG].encode()),
    name=st.text(max_size=90),
)
def test_keeping_is_idempotent(cpuinfo: bytes, profile: bytes, battery: bytes, name: str) -> None:
    """What is kept of any text is kept again unchanged; else a self-test's own would be refused."""
    files = {
        "/proc/cpuinfo": cpuinfo.decode("utf-8", "replace"),
        "/sys/class/dmi/id/product_name": name,
        "/etc/os-release": cpuinfo.decode("utf-8", "replace"),
        "/sys/power/mem_sleep": name,
        f"{SUPPLY}/{name}/type": "Battery",
    }
    commands = {
        "system_profiler": profile.decode("utf-8", "replace"),
        excerpts.IOREG: battery.decode("utf-8", "replace"),
        excerpts.SLEEP_SETTINGS: name,
    }
    text = msgspec.structs.replace(LINUX, files=files, commands=commands, processor=name)
    kept = excerpts.keep_text(text)

    assert kept == excerpts.keep_text(kept)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_report_in_sentences(lang: str, tmp_path: Path, capsys: Any) -> None:
    """A valid report is shown in sentences without a hole, a refused one only by its error."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(VALID)
    bad.write_bytes(plant_field("host", value=HOST))
    statuses = [cli_output.print_report(path, lang, as_json=False) for path in (good, bad)]
    shown = capsys.readouterr()

    assert [0, 1] == statuses
    assert i18n.HOLE not in shown.out + shown.err
    assert "llama.cpp 2026.10.1" in shown.out
    assert HOST not in shown.out
    assert "bad.json" in shown.err


def test_a_file_that_cannot_be_written_is_named_first(tmp_path: Path, capsys: Any) -> None:
    """A report's file that is there, or has no folder, is refused before anything is tried."""
    there, nowhere = tmp_path / "there.json", tmp_path / "no" / "r.json"
    there.write_text("kept", "utf-8")
    statuses = [
        cli_output.print_selftest("en", out=path, as_json=False) for path in (there, nowhere)
    ]
    shown = capsys.readouterr()

    assert [1, 1] == statuses
    assert "" == shown.out
    assert ["there.json is there already", "The folder"] == [
        match[0] for match in re.finditer(r"there\.json is there already|The folder", shown.err)
    ]
    assert "kept" == there.read_text("utf-8")

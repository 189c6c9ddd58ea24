r"""Excerpts: the parts of a system's text that a report may hold.

Input: ``HardwareText`` of a machine. Output: the same with the allowed files, commands, lines and
values only. Everything is allowed by name and by form; what is not allowed is left out, so that a
serial number, a hardware address, a path or the name of the machine or its account stays behind,
wherever a system prints it. ``keep_text`` is idempotent: a report whose text it would change holds
more than it may. Names of chips are free text. There, ``find_own_words`` recognises the names of
this machine and its account.
"""

import getpass
import plistlib
import re
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import msgspec

from entraide.decoding import decode_json
from entraide_node.hardware_detection import CPU_FEATURES
from entraide_node.hardware_text import (
    CPUINFO,
    HARDWARE_FILES,
    MAC_CHIP,
    MAC_PROFILE,
    MEMORY_LIMITS,
    HardwareText,
    NvidiaCard,
)

NAME_CHARS_MAX = 80  # of a chip or a machine
KEPT_CARDS_MAX = 16
KEPT_FILES_MAX = 512  # of one report
OWN_WORD_CHARS_MIN = 3  # a shorter name of an account or a machine is part of many words

# Commands of a Mac whose output is kept, beside those of ``hardware_text``.
IOREG, HEAT, SLEEP, SLEEP_SETTINGS = "ioreg", "pmset -g therm", "pmset -g cap", "pmset -g"

SYSTEMS = ("linux", "darwin", "windows")
MACHINES = ("x86_64", "AMD64", "aarch64", "arm64", "ARM64", "armv7l", "riscv64", "ppc64le")

Keep = Callable[[str, "OwnWords"], str]
OwnWords = frozenset[str]

_NAME = re.compile(rf"[A-Za-z0-9()+.,_@/®™ -]{{1,{NAME_CHARS_MAX}}}")
# Forms of addresses, paths and identifiers, which no name of a chip has.
_PERSONAL = re.compile(
    r"(?:[0-9A-Fa-f]{1,4}[:-]){4,}[0-9A-Fa-f]{1,4}|\d{1,3}(?:\.\d{1,3}){3}|\S@\S"
    r"|/\w+/|[0-9A-Fa-f]{12,}|(?i:serial|uuid|\.local\b|\.lan\b)"
)
_CPUINFO_VALUES = {
    "vendor_id": re.compile(r"[A-Za-z]{1,16}"),
    "cpu family": re.compile(r"\d{1,4}"),
    "model": re.compile(r"\d{1,4}"),
    "stepping": re.compile(r"\d{1,4}"),
    "CPU implementer": re.compile(r"0x[0-9a-f]{1,4}"),
    "CPU architecture": re.compile(r"\d{1,2}"),
    "CPU variant": re.compile(r"0x[0-9a-f]{1,4}"),
    "CPU part": re.compile(r"0x[0-9a-f]{1,4}"),
}
_CPUINFO_NAMES = ("model name", "Model", "Hardware")
_CPUINFO_FLAGS = ("flags", "Features")
_MAC_HARDWARE = ("machine_name", "machine_model", "chip_type", "cpu_type", "number_processors")
_MAC_DISPLAY = ("sppci_model", "sppci_cores", "spdisplays_vendor")
_BATTERY_NUMBERS = ("InstantAmperage", "Voltage")
_LEAD = r"/sys/class/"


def find_own_words() -> OwnWords:
    """Returns the names of this machine and its account, in lower case."""
    host = socket.gethostname()
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = ""
    words = {host, host.partition(".")[0], account, Path.home().name}
    return frozenset(
        word.lower() for word in words if len(word) >= OWN_WORD_CHARS_MIN and word != "root"
    )


def keep_text(text: HardwareText, own_words: OwnWords = frozenset()) -> HardwareText:
    """Returns the allowed parts of a machine's text; applied again, it changes nothing.

    Args:
        text: what the system says.
        own_words: names of the machine and its account; a free text that has one is left out.
    """
    files = {
        path: kept
        for path, raw in sorted(_number_supplies(text.files).items())
        if (kept := _keep_file(path, raw, own_words)) is not None
    }
    commands = {
        name: kept
        for name, raw in sorted(text.commands.items())
        if name in _COMMANDS and (kept := _COMMANDS[name](raw, own_words))
    }
    return HardwareText(
        system=text.system if text.system in SYSTEMS else "",
        machine=text.machine if text.machine in MACHINES else "",
        processor=keep_name(text.processor, own_words),
        cores=text.cores,
        memory_bytes=text.memory_bytes,
        battery=text.battery,
        files=dict(list(files.items())[:KEPT_FILES_MAX]),
        commands=commands,
        cards=tuple(
            NvidiaCard(keep_name(card.name, own_words), card.memory_bytes)
            for card in text.cards[:KEPT_CARDS_MAX]
        ),
    )


def keep_name(raw: str, own_words: OwnWords) -> str:
    """Returns the name of a chip or a machine on one line; "" if it has another form.

    >>> keep_name("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", frozenset())
    'AMD RYZEN AI MAX+ 395 w/ Radeon 8060S'
    >>> keep_name("/home/ada", frozenset()), keep_name("PC of Ada", frozenset({"ada"}))
    ('', '')
    """
    name = " ".join(raw.split())
    words = frozenset(re.findall(r"[a-z0-9_-]+", name.lower()))
    words |= frozenset(re.findall(r"[a-z0-9]+", name.lower()))
    is_allowed = _NAME.fullmatch(name) and not _PERSONAL.search(name) and not words & own_words
    return name if is_allowed else ""


def keep_cpuinfo(raw: str, own_words: OwnWords) -> str:
    """Returns the first processor's lines that say what it is, and the flags that matter."""
    lines: dict[str, str] = {}
    for line in raw.splitlines():
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or name in lines:
            continue
        if name in _CPUINFO_NAMES:
            value = keep_name(value, own_words)
        elif name in _CPUINFO_FLAGS:
            value = " ".join(flag for flag in value.split() if flag in CPU_FEATURES)
        elif name not in _CPUINFO_VALUES or not _CPUINFO_VALUES[name].fullmatch(value):
            continue
        if value:
            lines[name] = value
    return "".join(f"{name}\t: {value}\n" for name, value in lines.items())


def keep_mac_profile(raw: str, own_words: OwnWords) -> str:
    """Returns a Mac's model, chip, cores and graphics."""
    try:
        sections = decode_json(raw, type=dict[str, list[dict[str, Any]]])
    except msgspec.DecodeError:
        return ""
    kept = {
        "SPHardwareDataType": [
            _keep_fields(entry, _MAC_HARDWARE, own_words)
            for entry in sections.get("SPHardwareDataType", [])[:1]
        ],
        "SPDisplaysDataType": [
            _keep_fields(entry, _MAC_DISPLAY, own_words)
            for entry in sections.get("SPDisplaysDataType", [])[:KEPT_CARDS_MAX]
        ],
    }
    return msgspec.json.encode(kept).decode()


def keep_battery(raw: str, own_words: OwnWords) -> str:  # noqa: ARG001
    """Returns the power figures of a Mac's battery controller, as a property list."""
    try:
        entries = plistlib.loads(raw.encode(), fmt=plistlib.FMT_XML)
        entry = dict(entries[0])
        telemetry = dict(entry.get("PowerTelemetryData") or {})
    except (ExpatError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return ""
    kept: dict[str, Any] = {
        name: entry[name] for name in _BATTERY_NUMBERS if _is_number(entry.get(name))
    }
    if isinstance(entry.get("ExternalConnected"), bool):
        kept["ExternalConnected"] = entry["ExternalConnected"]
    if _is_number(telemetry.get("SystemLoad")):
        kept["PowerTelemetryData"] = {"SystemLoad": telemetry["SystemLoad"]}
    return plistlib.dumps([kept]).decode()


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64


def _keep_fields(
    entry: dict[str, Any], names: Iterable[str], own_words: OwnWords
) -> dict[str, str | int]:
    kept: dict[str, str | int] = {}
    for name in names:
        value = entry.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10_000:
            kept[name] = value
        elif isinstance(value, str) and (text := _keep_mac_value(value, own_words)):
            kept[name] = text
    return kept


def _keep_mac_value(value: str, own_words: OwnWords) -> str:
    """A name, or the numbers of cores (``proc 14:10:4``)."""
    is_count = re.fullmatch(r"proc \d{1,3}(?::\d{1,3}){0,3}", value)
    return value if is_count else keep_name(value, own_words)


def _form(pattern: str) -> Keep:
    """Keeps a text of one line that has a form."""
    compiled = re.compile(pattern)

    def keep(raw: str, _: OwnWords) -> str:
        line = raw.strip()
        return line if compiled.fullmatch(line) else ""

    return keep


def _words(*allowed: str) -> Keep:
    """Keeps the allowed words of a line; those in brackets are the chosen ones."""
    known = {*allowed, *(f"[{word}]" for word in allowed)}

    def keep(raw: str, _: OwnWords) -> str:
        return " ".join(word for word in raw.split() if word in known)

    return keep


def _lines(pattern: str) -> Keep:
    """Keeps the lines that have a form, without what surrounds them."""
    compiled = re.compile(pattern)

    def keep(raw: str, _: OwnWords) -> str:
        stripped = (" ".join(line.split()) for line in raw.splitlines())
        return "".join(f"{line}\n" for line in stripped if compiled.fullmatch(line))

    return keep


def _nothing(raw: str, _: OwnWords) -> str:  # noqa: ARG001
    return ""


def _keep_sensor(raw: str, own_words: OwnWords) -> str:
    """The name of a sensor's driver, which is one word."""
    line = raw.strip()
    is_allowed = re.fullmatch(r"[A-Za-z0-9_]{1,24}", line)
    return keep_name(line, own_words) if is_allowed else ""


_NUMBER, _PCI = _form(r"-?\d{1,20}"), _form(r"0x[0-9a-f]{4}")
_SUPPLY = re.compile(r"(/sys/class/power_supply/)([^/]+)(/.*)")
SUPPLIES_MAX = 10  # numbered by one digit

# Paths that a report may hold, each with what it keeps. An empty text is left out, except where
# the name alone says it all.
_FILES: tuple[tuple[re.Pattern[str], Keep], ...] = tuple(
    (re.compile(path), keep)
    for path, keep in (
        (CPUINFO, keep_cpuinfo),
        *((path, _form(r"max|\d{1,20}")) for path in MEMORY_LIMITS),
        (_LEAD + r"drm/card\d{1,2}/device/(?:vendor|device)", _PCI),
        (_LEAD + r"drm/card\d{1,2}/device/product_name", keep_name),
        (_LEAD + r"drm/card\d{1,2}/device/mem_info_(?:vram|gtt)_total", _NUMBER),
        (_LEAD + r"drm/card\d{1,2}/device/drm/renderD\d{3}", _nothing),
        (_LEAD + r"kfd/kfd/topology/nodes/\d{1,2}/properties",
         _lines(r"(?:cpu_cores_count|simd_count|drm_render_minor) \d{1,6}")),
        (_LEAD + r"power_supply/supply\d/type", _words("Battery", "Mains", "USB", "UPS")),
        (_LEAD + r"power_supply/supply\d/scope", _words("Device", "System", "Unknown")),
        (_LEAD + r"power_supply/supply\d/(?:capacity|online|power_now)", _NUMBER),
        (_LEAD + r"thermal/thermal_zone\d{1,2}/type", _keep_sensor),
        (_LEAD + r"thermal/thermal_zone\d{1,2}/temp", _NUMBER),
        (_LEAD + r"hwmon/hwmon\d{1,2}/name", _keep_sensor),
        (_LEAD + r"hwmon/hwmon\d{1,2}/temp\d_input", _NUMBER),
        (_LEAD + r"powercap/intel-rapl:\d(?::\d)?/name",
         _form(r"package-\d(?:-die-\d)?|core|uncore|dram|psys")),
        (_LEAD + r"powercap/intel-rapl:\d(?::\d)?/max_energy_range_uj", _NUMBER),
        (_LEAD + r"dmi/id/(?:sys_vendor|product_name)", keep_name),
        (_LEAD + r"dmi/id/chassis_type", _form(r"\d{1,2}")),
        (_LEAD + r"rtc/rtc0/wakealarm", _nothing),
        (r"/sys/power/state", _words("freeze", "standby", "mem", "disk")),
        (r"/sys/power/mem_sleep", _words("s2idle", "shallow", "deep")),
        (r"/sys/power/disk", _words("platform", "shutdown", "reboot", "suspend", "test_resume")),
        (r"/proc/sys/kernel/seccomp/actions_avail",
         _words("kill_process", "kill_thread", "trap", "errno", "user_notif", "trace", "log",
                "allow")),
        (r"/etc/os-release", _lines(r"ID=[a-z]{1,16}|VERSION_ID=\"?[0-9.]{1,8}\"?")),
    )
)  # fmt: skip
# Settings of a Mac's power management.
_PMSET = (
    r"sleep|disksleep|displaysleep|womp|autorestart|autopoweroff|autopoweroffdelay|standby|powernap"
    r"|standbydelayhigh|standbydelaylow|ttyskeepawake|hibernatemode|tcpkeepalive|lowpowermode"
    r"|networkoversleep|proximitywake|gpuswitch|powermode|lidwake|acwake"
)
_EMPTY_KEPT = re.compile(r".*/(?:renderD\d+|wakealarm)")

_COMMANDS: dict[str, Keep] = {
    MAC_PROFILE: keep_mac_profile,
    MAC_CHIP: keep_name,
    IOREG: keep_battery,
    HEAT: _lines(r"CPU_(?:Scheduler_Limit|Available_CPUs|Speed_Limit) = \d{1,3}"
                 r"|Note: No (?:thermal|performance) warning level has been recorded"),
    SLEEP: _lines(_PMSET),
    SLEEP_SETTINGS: _lines(rf"(?:{_PMSET}) \d{{1,6}}"),
}  # fmt: skip

# Files that a report holds beside those of detection.
REPORT_FILES = (
    *HARDWARE_FILES,
    "/sys/class/power_supply/*/capacity",
    "/sys/class/power_supply/*/online",
    "/sys/class/power_supply/*/power_now",
    "/sys/class/thermal/thermal_zone*/type",
    "/sys/class/hwmon/hwmon*/name",
    "/sys/class/powercap/intel-rapl:*/name",
    "/sys/class/powercap/intel-rapl:*/max_energy_range_uj",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/class/dmi/id/product_name",
    "/sys/class/dmi/id/chassis_type",
    "/sys/class/rtc/rtc0/wakealarm",
    "/sys/power/state",
    "/sys/power/mem_sleep",
    "/sys/power/disk",
    "/proc/sys/kernel/seccomp/actions_avail",
    "/etc/os-release",
)


def _keep_file(path: str, raw: str, own_words: OwnWords) -> str | None:
    """The allowed part of a file; None if nothing of it is kept."""
    for pattern, keep in _FILES:
        if pattern.fullmatch(path):
            kept = keep(raw, own_words)
            return kept if kept or _EMPTY_KEPT.fullmatch(path) else None
    return None


def _number_supplies(files: dict[str, str]) -> dict[str, str]:
    """Gives power supplies numbers: the name of a wireless one may be its hardware address."""
    matches = {path: match for path in files if (match := _SUPPLY.fullmatch(path))}
    names = sorted({match[2] for match in matches.values()})[:SUPPLIES_MAX]
    numbers = {name: f"supply{number}" for number, name in enumerate(names)}
    renamed = {path: text for path, text in files.items() if path not in matches}
    for path, match in matches.items():
        if match[2] in numbers:
            renamed[f"{match[1]}{numbers[match[2]]}{match[3]}"] = files[path]
    return renamed

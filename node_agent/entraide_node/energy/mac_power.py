"""A Mac's own power telemetry, without root.

``powermetrics`` wants root, which an agent never has. A portable Mac's battery controller tells
the whole machine's load through ``ioreg``; a Mac without a battery tells nothing, and the
catalogue stands for it.
"""

import plistlib
import subprocess
import sys
from xml.parsers.expat import ExpatError

ASK_TIMEOUT_S = 2.0
_IOREG = ["/usr/sbin/ioreg", "-rw0", "-c", "AppleSmartBattery", "-a"]


def mac_power_w() -> float | None:
    """Returns what the machine draws now, watts; None where nothing tells. Blocks shortly."""
    return battery_power_w(_read_registry()) if sys.platform == "darwin" else None


def battery_power_w(plist: bytes) -> float | None:
    """Reads the controller's properties.

    ``SystemLoad`` is the machine's load in milliwatts; without it, on battery, amperage times
    voltage is (mA, signed, and mV).
    """
    try:
        entries = plistlib.loads(plist)
        entry = entries[0]
    except (plistlib.InvalidFileException, ExpatError, ValueError, IndexError, KeyError, TypeError):
        return None
    if not isinstance(entry, dict):
        return None
    telemetry = entry.get("PowerTelemetryData")
    load_mw = telemetry.get("SystemLoad") if isinstance(telemetry, dict) else None
    if isinstance(load_mw, int) and load_mw > 0:
        return load_mw / 1e3
    current_ma, voltage_mv = _signed(entry.get("InstantAmperage")), entry.get("Voltage")
    if entry.get("ExternalConnected") or current_ma is None or not isinstance(voltage_mv, int):
        return None
    return -current_ma * voltage_mv / 1e6 if current_ma < 0 else None


def _read_registry() -> bytes:
    try:
        completed = subprocess.run(_IOREG, check=True, capture_output=True, timeout=ASK_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return b""
    return completed.stdout


def _signed(number: object) -> int | None:
    """The registry tells negative numbers as unsigned ones of 64 bits."""
    if not isinstance(number, int):
        return None
    return number - 2**64 if number >= 2**63 else number

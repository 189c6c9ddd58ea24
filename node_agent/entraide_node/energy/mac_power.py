"""A Mac's power telemetry, read without root.

Input: ``ioreg``'s properties of the battery controller. Output: the machine's power in watts; None
on a Mac without a battery, for which the catalogue is used. (``powermetrics`` would need root.)
"""

import plistlib
import subprocess
import sys
from xml.parsers.expat import ExpatError

ASK_TIMEOUT_S = 2.0
_IOREG = ["/usr/sbin/ioreg", "-rw0", "-c", "AppleSmartBattery", "-a"]


def mac_power_w() -> float | None:
    """Returns the machine's current power, watts; None if it cannot be read. Blocks briefly."""
    return battery_power_w(_read_registry()) if sys.platform == "darwin" else None


def battery_power_w(plist: bytes) -> float | None:
    """Parses the battery controller's properties.

    ``SystemLoad`` is the machine's power in milliwatts. Without it, and on battery, the power is
    the signed amperage (mA) times the voltage (mV).
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
    """Converts a negative number that the registry shows as an unsigned one of 64 bits."""
    if not isinstance(number, int):
        return None
    return number - 2**64 if number >= 2**63 else number

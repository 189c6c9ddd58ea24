"""Hardware: the peak power of a device, an upper bound on the energy that a run can use.

A node names its device; the catalogue ``devices.csv`` gives its peak power. A class name
(``default-KIND``) has the highest peak of the class, and an unknown name the highest of all, so
that an unlisted machine is never found to exceed its peak.
"""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

CLASS_PREFIX = "default-"


@cache
def _peaks() -> Mapping[str, float]:
    text = (files("entraide") / "hardware" / "devices.csv").read_text("utf-8")
    peaks: dict[str, float] = {"": 0.0}
    for row in csv.DictReader(text.splitlines()):
        peak_w = float(row["max_w"])
        kind = CLASS_PREFIX + row["kind"]
        peaks[row["device_id"]] = peak_w
        peaks[kind] = max(peaks.get(kind, 0.0), peak_w)
        peaks[""] = max(peaks[""], peak_w)
    return MappingProxyType(peaks)


def peak_w(device: str) -> float:
    """Returns the peak power of a device, watts; of its class, or of all, if it is not listed.

    >>> peak_w("mac-mini-m4"), peak_w("default-cpu"), peak_w("a machine of our own")
    (65.0, 300.0, 700.0)
    """
    return _peaks().get(device, _peaks()[""])

"""Hardware: the peak power of a device by the catalogue, for the limit on what a run can use.

A node names its device; the figure is the catalogue's. A name that stands for a class
(``default-KIND``) has the highest peak of that class, and an unknown name the highest of all: a
machine that nobody has measured is not called dishonest.
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
    """Returns the most that a device draws, watts; of its class, or of all, when it is unknown.

    >>> peak_w("mac-mini-m4"), peak_w("default-cpu"), peak_w("a machine of our own")
    (65.0, 300.0, 700.0)
    """
    return _peaks().get(device, _peaks()[""])

"""Annual averages: carbon intensity of each Canadian province and territory, with its source.

The figures are in ``annual.csv`` beside this module: location-based averages of consumption,
gCO2e/kWh, from Electricity Maps' open zone files (Open Database Licence 1.0) where they have the
zone, else from CodeCarbon's provincial mixes (MIT) and Electricity Maps' emission factors.
"""

import csv
from importlib.resources import files

from msgspec import Struct


class AnnualAverage(Struct, frozen=True):
    """A zone's average intensity over one year, and its source.

    Attributes:
        zone, year: of which it is the average.
        direct_g_per_kwh, lifecycle_g_per_kwh: the average, gCO2e/kWh.
        source: from where it is, in English.
        source_code: stable code of the source, for the catalogue's sentence; "" without one.
    """

    zone: str
    year: int
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    source: str
    source_code: str = ""


def load_annual_averages() -> dict[str, AnnualAverage]:
    """Returns the shipped averages by zone."""
    text = files("entraide_scheduler.grid").joinpath("annual.csv").read_text("utf-8")
    return {
        row["zone"]: AnnualAverage(
            row["zone"],
            int(row["year"]),
            float(row["direct_g_per_kwh"]),
            float(row["lifecycle_g_per_kwh"]),
            row["source"],
            row["source_code"],
        )
        for row in csv.DictReader(text.splitlines())
    }

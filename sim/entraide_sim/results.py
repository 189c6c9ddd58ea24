"""Results: what a run of a scenario came to, as plain facts that can be kept and read again.

A ``Result`` holds everything that a report, a comparison or a plan needs, and nothing that must be
recomputed from jobs: the summary, hours by zone, shares by co-op, quantiles by class, the fleet,
and each assumption with how it was obtained. It is frozen, of plain numbers, and goes through JSON
there and back without loss. It refuses to know how the numbers came about and how they are
shown.
"""

from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from entraide.decoding import decode_json

LABEL_SEPARATOR = " · "  # of the parts of a label
SOURCE_SEPARATOR = " | "  # between the sources of one figure
PERCENTILES = 101  # quantiles kept of a latency: 0, 0.01, ..., 1


class Assumption(Struct, frozen=True):
    """Something that the result rests on.

    Attributes:
        code: message code without its prefix ``sim-assumption-``.
        basis: ``measured``, ``estimated``, ``declared`` or ``default``.
        values: the numbers and names in its sentence.
        source: where the figure comes from, one line, several with ``CITED`` between them; ""
            where the sentence says it.
    """

    code: str
    basis: str
    values: dict[str, str | int | float] = {}
    source: str = ""


class ZoneHours(Struct, frozen=True):
    """One zone, hour by hour of the run; all columns are equally long.

    A job counts in the hour in which it was placed last, with all it used.

    Attributes:
        zone: grid zone.
        intensity_g_per_kwh: the grid's actual direct intensity.
        jobs: placed at nodes of this zone.
        output_tokens: of those jobs.
        energy_wh, carbon_g: of those jobs, and of dedicated machines at rest.
        utilisation: part of the zone's slots that runs held.
    """

    zone: str
    intensity_g_per_kwh: tuple[float, ...]
    jobs: tuple[int, ...]
    output_tokens: tuple[int, ...]
    energy_wh: tuple[float, ...]
    carbon_g: tuple[float, ...]
    utilisation: tuple[float, ...] = ()


class CoopShare(Struct, frozen=True):
    """What one co-op asked, received and gave, over the whole run.

    Attributes:
        coop: identifier.
        jobs, rejected: how many it asked, and how many of them were refused.
        received_tokens: virtual tokens served to it: as the policy charges them.
        due_tokens: what weighted max-min of all that was served would have given it, by what it
            asked; equal to ``received_tokens`` when everything asked was served.
        weight: shares voted.
        given_tokens: virtual tokens that its own nodes served to others.
        weight_basis: ``declared`` where the scenario sets the shares.
    """

    coop: str
    jobs: int
    rejected: int
    received_tokens: float
    due_tokens: float
    weight: float
    given_tokens: float
    weight_basis: str = "declared"


class ClassLatency(Struct, frozen=True):
    """Latencies of one class, of completed jobs, as their clients saw them, seconds.

    Attributes:
        job_class: which.
        objective_ttft_s, objective_tpot_s, objective_e2e_s: promised; None where nothing is.
        jobs: completed.
        ttft_s, tpot_s, e2e_s: quantiles at 0, 0.01, ..., 1; empty when there is no value.
    """

    job_class: str
    objective_ttft_s: float | None
    objective_tpot_s: float | None
    objective_e2e_s: float | None
    jobs: int
    ttft_s: tuple[float, ...]
    tpot_s: tuple[float, ...]
    e2e_s: tuple[float, ...]


class GroupUsage(Struct, frozen=True):
    """Machines of one kind at one place.

    Attributes:
        device: identifier in the catalogue.
        name: as people call it.
        zone, coop: where they stand and whose they are.
        count: how many.
        price_cad: of one machine; None where it is not known or not counted.
        life_years: over which the price is spread; None where no price is.
        power_max_w: the most that one draws.
        jobs, output_tokens, energy_wh: what they ran, and what that and their rest took.
        group: name of the ``[[nodes]]`` entry.
    """

    device: str
    name: str
    zone: str
    coop: str
    count: int
    price_cad: float | None
    life_years: float | None
    power_max_w: float | None
    jobs: int = 0
    output_tokens: int = 0
    energy_wh: float = 0.0
    group: str = ""


class SiteEnergy(Struct, frozen=True):
    """Where the energy of a site with own generation came from and went, Wh, over the whole run.

    ``surplus + grid = used + lost + away + held now - held at first``, where what the machines used
    is ``own + battery + grid``.

    Attributes:
        site: name.
        zone: where it lies.
        surplus_wh: own generation beyond the site's own use.
        own_wh: of it, used by the machines at once.
        battery_wh, grid_wh: used by them out of the battery, and from the grid.
        lost_wh: in the battery.
        away_wh: nobody had a use for it.
        held_wh: more (or, below zero, less) in the battery at the end than at first.
        stores: whether it has a battery.
    """

    site: str
    zone: str
    surplus_wh: float
    own_wh: float
    battery_wh: float
    grid_wh: float
    lost_wh: float
    away_wh: float
    held_wh: float
    stores: bool


class FaultImpact(Struct, frozen=True):
    """Something that happened to machines, and how requests fared that came meanwhile.

    Attributes:
        kind: ``vanish``, ``slow``, ``silent``, ``pause``, ``late`` or ``restart``.
        at, until: seconds since the epoch; ``until`` is None where it never ended.
        machines: how many it befell.
        jobs, completed: asked for while it lasted, and of those.
        kept_part: of their promises; None where nothing was promised.
        ttft_s_p95: until the first token of those completed that promise it.
    """

    kind: str
    at: float
    until: float | None
    machines: int
    jobs: int
    completed: int
    kept_part: float | None
    ttft_s_p95: float | None


class RunResult(Struct, frozen=True, kw_only=True):
    """One run of one scenario.

    Attributes:
        scenario: name.
        title, about: in each language; empty when the scenario has none.
        names: in each language, what the parts of a label stand for where they have a title.
        label: what tells this run from the others of a comparison; "" when it is alone.
        policy, picker: version of the policy, and how it picks.
        seed: of all luck.
        version: of Entraide.
        start_at: begin of the first hour, seconds since the epoch (UTC).
        hours: how many hours the columns have.
        timezone: whose hours of the day a reader thinks in.
        summary: as ``summary.json`` has it.
        zones, coops, latencies, fleet, assumptions: see there.
        sites: those with own generation.
        mishaps: in the order of the scenario.
        command: the command line that makes it again.
    """

    scenario: str
    title: dict[str, str] = {}
    about: dict[str, str] = {}
    names: dict[str, dict[str, str]] = {}
    label: str = ""
    policy: str
    picker: str
    seed: int
    version: str
    start_at: float
    hours: int
    timezone: str = "America/Toronto"
    summary: dict[str, Any]
    zones: tuple[ZoneHours, ...] = ()
    coops: tuple[CoopShare, ...] = ()
    latencies: tuple[ClassLatency, ...] = ()
    fleet: tuple[GroupUsage, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    sites: tuple[SiteEnergy, ...] = ()
    mishaps: tuple[FaultImpact, ...] = ()
    command: str = ""


def version() -> str:
    """Returns the version of Entraide that makes results."""
    return metadata.version("entraide")


def write_result(path: Path, result: RunResult) -> None:
    """Keeps a result; a reader sees the old file or the whole new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(msgspec.json.encode(result))
    beside.replace(path)


def read_result(path: Path) -> RunResult | None:
    """Returns a kept result; None when there is none, or none that this version can read."""
    try:
        return decode_json(path.read_bytes(), type=RunResult)
    except (OSError, msgspec.MsgspecError):
        return None

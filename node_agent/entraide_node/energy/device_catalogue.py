"""Device catalogue: power figures of machines, each with its source.

Input: a machine's name. Output: its catalogue entry. If none matches, the entry is
``default-KIND``: the figures of the entry of that kind with the median active power, marked as a
default. Figures are public; ``sources.csv`` says where each comes from, and whether it was read,
quoted, derived or assumed.
"""

import csv
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from msgspec import Struct

from entraide.types import Basis, Power
from entraide_node.engines.base import EngineProblem

KINDS = ("apple", "nvidia", "other", "cpu")


class Device(Struct, frozen=True):
    """One machine of the catalogue.

    Attributes:
        device_id: its identifier.
        name: its common name.
        kind: ``apple``, ``nvidia``, ``other`` or ``cpu``.
        memory_gb: memory that models may use.
        idle_w: idle power.
        active_w: power while it generates tokens.
        max_w: maximum power.
        power_scope: what the figures include (whole machine at the wall, card only).
        sources: for each figure, a key of ``sources()``.
        recognised_as: regular expression for the name that the system reports.
    """

    device_id: str
    name: str
    kind: str
    memory_gb: float
    idle_w: float
    active_w: float
    max_w: float
    power_scope: str
    sources: Mapping[str, str]
    recognised_as: str


@cache
def devices() -> Mapping[str, Device]:
    """Returns the catalogue by identifier, with the default of each kind."""
    rows = csv.DictReader(_read_csv("devices.csv").splitlines())
    by_id = {row["device_id"]: _parse_device(row) for row in rows}
    return MappingProxyType(
        by_id | {d.device_id: d for d in _default_devices(list(by_id.values()))}
    )


@cache
def sources() -> Mapping[str, str]:
    """Returns the citation and the status of each source code."""
    rows = csv.DictReader(_read_csv("sources.csv").splitlines())
    return MappingProxyType({row["code"]: f"{row['citation']} [{row['status']}]" for row in rows})


def recognise(name: str, *, kinds: tuple[str, ...]) -> str | None:
    """Returns the identifier of the first entry of these kinds whose expression matches a name.

    >>> recognise("NVIDIA GeForce RTX 4090", kinds=("nvidia",))
    'rtx-4090-24'
    """
    plain = re.sub(r"\(r\)|\(tm\)|^(?:nvidia )?(?:geforce )?", "", name.strip().lower())
    for device in devices().values():
        known_as = device.recognised_as
        if known_as and device.kind in kinds and re.fullmatch(known_as, plain):
            return device.device_id
    return None


def device_power(
    device: str, *, basis: Basis, idle_w: float | None = None, active_w: float | None = None
) -> Power | EngineProblem:
    """Returns a machine's power for its node's card.

    Args:
        device: identifier in the catalogue.
        basis: ``estimated`` if the device was recognised or configured, else ``default``.
        idle_w: idle power, if the owner knows it.
        active_w: active power, if the owner knows it; if both are given, they are used, as
            ``declared``.
    """
    entry = devices().get(device)
    if idle_w is not None and active_w is not None:
        name = device if entry is not None else "declared"
        return Power(name, idle_w, max(idle_w, active_w), Basis.DECLARED)
    if entry is None:
        return EngineProblem("device_unknown", {"device": device, "devices": ", ".join(devices())})
    return Power(device, entry.idle_w, entry.active_w, basis)


def _default_devices(entries: list[Device]) -> list[Device]:
    defaults = []
    for kind in KINDS:
        by_power = sorted((d.active_w, d.device_id) for d in entries if d.kind == kind)
        middle = next(d for d in entries if d.device_id == by_power[(len(by_power) - 1) // 2][1])
        defaults.append(
            Device(
                device_id=f"default-{kind}",
                name=f"default ({kind})",
                kind=kind,
                memory_gb=middle.memory_gb,
                idle_w=middle.idle_w,
                active_w=middle.active_w,
                max_w=middle.max_w,
                power_scope=middle.power_scope,
                sources=middle.sources,
                recognised_as="",
            )
        )
    return defaults


def _parse_device(row: dict[str, str]) -> Device:
    figures = ("memory", "idle", "active", "max")
    return Device(
        device_id=row["device_id"],
        name=row["name"],
        kind=row["kind"],
        memory_gb=float(row["memory_gb"]),
        idle_w=float(row["idle_w"]),
        active_w=float(row["active_w"]),
        max_w=float(row["max_w"]),
        power_scope=row["power_scope"],
        sources=MappingProxyType({figure: row[f"{figure}_src"] for figure in figures}),
        recognised_as=row["recognised_as"],
    )


def _read_csv(name: str) -> str:
    return (files("entraide") / "hardware" / name).read_text("utf-8")

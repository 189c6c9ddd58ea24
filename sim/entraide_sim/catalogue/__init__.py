"""Catalogue: speed, power, memory and price of devices, each figure with its source.

Speeds are of the reference model, 8 billion parameters at 4 bits (Llama-3-8B Q4_K_M); power and
memory come from the catalogue that the node agent uses too. Expect up to 25 % error, more for
prefill; benchmark the machine itself before a purchase. Zone averages are the pool's own table.
"""

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from msgspec import Struct

from entraide.types import Basis, Rates

REFERENCE_PARAMS_B = 8.03
REFERENCE_WEIGHTS_GB = 4.92
KV_MB_PER_TOKEN = 0.131  # Llama-3-8B: 32 layers x 2 x 8 heads x 128 x 2 bytes
CAD_PER_USD = 1.38  # assumption: about the mean rate of 2025
LIFE_YEARS = 5.0  # assumption: over which a price is spread, unless the scenario says otherwise


class Device(Struct, frozen=True):
    """One machine.

    Attributes:
        device_id, name, kind: as the node agent's catalogue has them.
        memory_gb, memory_part: memory, and the part of it that a model may use.
        idle_w, active_w, max_w: whole machine at rest, while it generates, and at most.
        prefill_tokens_per_s, decode_tokens_per_s: of the reference model, one sequence.
        basis: how the two were obtained.
        step_part: ``t1 / (t0 + t1)``: what one more sequence adds to a step, as a part of a step
            with one sequence.
        slots: sequences at once that are usual on it.
        curve: ``flat`` or ``server``: power by how full the batch is (``energy``).
        price_cad: when it was last sold new; None where it is not known.
        throttle_after_s: how long it works at full load, beginning cold, before it is too warm.
        throttle_factor: part of its speed with prompts that it keeps then; 1 where it never is.
        sources: for each figure, a key of ``sources()``.
    """

    device_id: str
    name: str
    kind: str
    memory_gb: float
    memory_part: float
    idle_w: float
    active_w: float
    max_w: float
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    basis: Basis
    step_part: float
    slots: int
    curve: str
    price_cad: float | None
    throttle_after_s: float
    throttle_factor: float
    sources: Mapping[str, str]

    @property
    def usable_gb(self) -> float:
        """Memory that weights and keys and values may fill."""
        return self.memory_gb * self.memory_part


class ModelFootprint(Struct, frozen=True):
    """How large a model is.

    Attributes:
        params_b: parameters that a token passes through, billions (the active ones of a mixture).
        weights_gb: all weights in memory.
        read_gb: weights that one token reads.
        kv_mb_per_token: keys and values of one token.
    """

    params_b: float = REFERENCE_PARAMS_B
    weights_gb: float = REFERENCE_WEIGHTS_GB
    read_gb: float = REFERENCE_WEIGHTS_GB
    kv_mb_per_token: float = KV_MB_PER_TOKEN


def estimate_rates(device: Device, size: ModelFootprint) -> Rates:
    """Returns how fast a device runs a model.

    Prompts are bound by computing, so their speed goes with the parameters; answers are bound by
    reading the weights, so their time goes with the bytes (llama.cpp scoreboards: 65 to 72 % of the
    peak bandwidth across cards).
    """
    step_s = size.read_gb / REFERENCE_WEIGHTS_GB / device.decode_tokens_per_s
    same = size == ModelFootprint()
    return Rates(
        device.prefill_tokens_per_s * REFERENCE_PARAMS_B / size.params_b,
        step_s * (1.0 - device.step_part),
        step_s * device.step_part,
        device.basis if same else Basis.ESTIMATED,
    )


def kv_capacity_tokens(device: Device, size: ModelFootprint) -> int:
    """Returns how many tokens' keys and values fit beside the weights; 0 or less when none do."""
    return int((device.usable_gb - size.weights_gb) * 1_000.0 / size.kv_mb_per_token)


@cache
def devices() -> Mapping[str, Device]:
    """Returns the catalogue by identifier."""
    power = {row["device_id"]: row for row in _read_rows("entraide", "hardware/devices.csv")}
    devices_by_id = {}
    for row in _read_rows("entraide_sim", "catalogue/devices.csv"):
        name = row["device_id"]
        devices_by_id[name] = _make_device(row, power[name])
    return MappingProxyType(devices_by_id)


@cache
def source_texts() -> Mapping[str, str]:
    """Returns what each source code stands for, and how far it was checked."""
    both = (("entraide", "hardware/sources.csv"), ("entraide_sim", "catalogue/sources.csv"))
    return MappingProxyType(
        {
            row["code"]: f"{row['citation']} [{row['status']}]"
            for package, path in both
            for row in _read_rows(package, path)
        }
    )


class ZoneAverage(Struct, frozen=True):
    """What a zone's mean kilowatt-hour emits in one year, and whose figure it is."""

    year: int
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    source: str


@cache
def zone_averages() -> Mapping[str, ZoneAverage]:
    """Returns the shipped averages by zone: those that the pool itself falls back on."""
    return MappingProxyType(
        {
            row["zone"]: ZoneAverage(
                int(row["year"]),
                float(row["direct_g_per_kwh"]),
                float(row["lifecycle_g_per_kwh"]),
                row["source"],
            )
            for row in _read_rows("entraide_scheduler", "grid/annual.csv")
        }
    )


def _make_device(row: dict[str, str], power: dict[str, str]) -> Device:
    figures = ("memory", "idle", "active", "max")
    from_agent = {figure: power[f"{figure}_src"] for figure in figures}
    own = ("prefill", "decode", "step", "price", "throttle")
    price = row["price_usd"]
    return Device(
        device_id=row["device_id"],
        name=power["name"],
        kind=power["kind"],
        memory_gb=float(power["memory_gb"]),
        memory_part=float(row["memory_part"]),
        idle_w=float(power["idle_w"]),
        active_w=float(power["active_w"]),
        max_w=float(power["max_w"]),
        prefill_tokens_per_s=float(row["prefill_tokens_per_s"]),
        decode_tokens_per_s=float(row["decode_tokens_per_s"]),
        basis=Basis(row["rates_basis"]),
        step_part=float(row["step_part"]),
        slots=int(row["slots"]),
        curve=row["curve"],
        price_cad=round(float(price) * CAD_PER_USD, -1) if price else None,
        throttle_after_s=float(row["throttle_after_s"] or 0.0),
        throttle_factor=float(row["throttle_factor"] or 1.0),
        sources=MappingProxyType(
            from_agent
            | {figure: row[f"{figure}_src"] for figure in own}
            | {"memory_part": row["memory_src"]}
        ),
    )


def _read_rows(package: str, path: str) -> list[dict[str, str]]:
    text = files(package).joinpath(path).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))

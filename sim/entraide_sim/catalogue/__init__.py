"""Catalogue: speed, power, memory and price of devices, and prices of cloud services, with sources.

Speeds are of the reference model, 8 billion parameters at 4 bits (Llama-3-8B Q4_K_M); power and
memory come from the catalogue that the node agent uses too. Expect up to 25 % error, more for
prefill; benchmark the machine itself before a purchase. Zone averages are the pool's own table.
"""

import csv
import datetime as dt
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from msgspec import Struct

from entraide.types import Basis, Rates
from entraide_sim.scenario import CloudOffer, SubscriptionOffer

REFERENCE_PARAMS_B = 8.03
REFERENCE_WEIGHTS_GB = 4.92
KV_MB_PER_TOKEN = 0.131  # Llama-3-8B: 32 layers x 2 x 8 heads x 128 x 2 bytes
CAD_PER_USD = 1.38  # assumption: about the mean rate of 2025


class Device(Struct, frozen=True):
    """One machine.

    Attributes:
        device_id, name, kind: as the node agent's catalogue has them.
        memory_gb, memory_part: memory, and the part of it that a model may use.
        idle_w, active_w, max_w: power of the whole machine: idle, generating, and maximum.
        prefill_tokens_per_s, decode_tokens_per_s: of the reference model, one sequence.
        basis: of the two speeds.
        step_part: ``t1 / (t0 + t1)``: time that each sequence adds to a step, relative to a step
            with one sequence.
        slots: usual maximum batch size.
        curve: ``flat`` or ``server``: power by how full the batch is (``energy``).
        price_cad: last price as new; None if unknown.
        throttle_after_s: time at full load until throttling, starting cold.
        throttle_factor: part of the prefill speed that remains; 1 if it never throttles.
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
        """Memory for weights and KV cache, GB."""
        return self.memory_gb * self.memory_part


class ModelFootprint(Struct, frozen=True):
    """Size of a model.

    Attributes:
        params_b: active parameters per token, billions.
        weights_gb: all weights in memory.
        read_gb: weights read per token.
        kv_mb_per_token: KV cache per token.
    """

    params_b: float = REFERENCE_PARAMS_B
    weights_gb: float = REFERENCE_WEIGHTS_GB
    read_gb: float = REFERENCE_WEIGHTS_GB
    kv_mb_per_token: float = KV_MB_PER_TOKEN


def estimate_rates(device: Device, size: ModelFootprint, *, speed: float = 1.0) -> Rates:
    """Estimates the speed of a device with a model.

    Prefill is compute-bound: its speed is inverse to the parameters. Decode is bound by reading the
    weights: its time is proportional to the bytes (llama.cpp scoreboards: 65 to 72 % of the peak
    bandwidth across cards).

    Args:
        device: of the catalogue.
        size: of the model.
        speed: true speed over the catalogue's.
    """
    step_s = size.read_gb / REFERENCE_WEIGHTS_GB / device.decode_tokens_per_s / speed
    same = size == ModelFootprint() and speed == 1.0
    return Rates(
        device.prefill_tokens_per_s * REFERENCE_PARAMS_B / size.params_b * speed,
        step_s * (1.0 - device.step_part),
        step_s * device.step_part,
        device.basis if same else Basis.ESTIMATED,
    )


def kv_capacity_tokens(device: Device, size: ModelFootprint) -> int:
    """Returns the KV cache capacity beside the weights, tokens; 0 or less if there is none."""
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
    """Returns the citation and verification status of each source code."""
    both = (("entraide", "hardware/sources.csv"), ("entraide_sim", "catalogue/sources.csv"))
    return MappingProxyType(
        {
            row["code"]: f"{row['citation']} [{row['status']}]"
            for package, path in both
            for row in _read_rows(package, path)
        }
    )


class ZoneAverage(Struct, frozen=True):
    """Mean intensity of a zone in one year, with its source."""

    year: int
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    source: str


@cache
def cloud_offers() -> tuple[CloudOffer, ...]:
    """Returns the shipped prices of cloud services, by token."""
    return tuple(
        CloudOffer(
            name=row["name"],
            as_of=as_of,
            source=row["source"],
            cad_per_1m_input_tokens=float(row["usd_per_1m_input_tokens"]) * CAD_PER_USD,
            cad_per_1m_output_tokens=float(row["usd_per_1m_output_tokens"]) * CAD_PER_USD,
        )
        for row, as_of in _offer_rows("cloud")
    )


@cache
def subscription_offers() -> tuple[SubscriptionOffer, ...]:
    """Returns the shipped prices of subscriptions, by person."""
    return tuple(
        SubscriptionOffer(
            name=row["name"],
            as_of=as_of,
            source=row["source"],
            cad_per_person_month=float(row["usd_per_person_month"]) * CAD_PER_USD,
        )
        for row, as_of in _offer_rows("subscription")
    )


@cache
def zone_averages() -> Mapping[str, ZoneAverage]:
    """Returns the shipped averages by zone, which are also the pool's fallback."""
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


def _offer_rows(kind: str) -> list[tuple[dict[str, str], dt.date]]:
    """Returns the shipped offers of a kind, each with the day of its price."""
    return [
        (row, dt.date.fromisoformat(row["as_of"]))
        for row in _read_rows("entraide_sim", "catalogue/offers.csv")
        if row["kind"] == kind
    ]


def _read_rows(package: str, path: str) -> list[dict[str, str]]:
    text = files(package).joinpath(path).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))

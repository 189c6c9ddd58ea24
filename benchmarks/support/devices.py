"""Devices: node cards made from the catalogue's published figures.

Decides how a row of the hardware catalogue becomes rates: prefill as published, TPOT(1) as the
inverse of the published decode rate, and its growth with the batch from published batch runs. It
refuses to know what a node is used for.

Growth is ``t1 / (t0 + t1)``: on an H100 0.011 (ML.ENERGY, 8 to 256 sequences), on a GB10 0.135 and
on an M2 Ultra 0.30 (llama.cpp, from 1 to 32 sequences); other graphics cards count as the H100,
other Apple machines as the M2 Ultra, the rest as the GB10.
"""

import csv
from functools import cache

from benchmarks.support.common import data_path
from msgspec import Struct

from entraide.types import Basis, DataClass, NodeCard, Power, Rates, Replica

GROWTH = {"nvidia": 0.011, "apple": 0.30}
GROWTH_OF = {"dgx-spark-128": 0.135, "jetson-agx-orin-64": 0.135}
GROWTH_ELSE = 0.135
MODEL = "llama-3-8b-q4"
CONTEXT_TOKENS = 32_768


class Device(Struct, frozen=True):
    """What the catalogue says of a device that serves an 8B model in four bits."""

    device: str
    rates: Rates
    idle_w: float
    active_w: float


@cache
def read_catalogue() -> dict[str, Device]:
    """Returns all devices by name."""
    with data_path("hardware/hardware_catalogue.csv").open(newline="", encoding="utf-8") as file:
        return {row["device_id"]: _make_device(row) for row in csv.DictReader(file)}


def _make_device(row: dict[str, str]) -> Device:
    name = row["device_id"]
    growth = GROWTH_OF.get(name, GROWTH.get(row["kind"], GROWTH_ELSE))
    alone_s = 1.0 / float(row["decode_tok_s_8b4bit"])
    rates = Rates(
        float(row["prefill_tok_s_8b4bit"]),
        alone_s * (1.0 - growth),
        alone_s * growth,
        Basis.DEFAULT,
    )
    return Device(name, rates, float(row["idle_w"]), float(row["active_w"]))


def make_card(
    device: Device,
    *,
    node: str,
    coop: str,
    zone: str,
    slots: int,
    rtt_s: float,
    context_tokens: int = CONTEXT_TOKENS,
) -> NodeCard:
    """Returns the card of a node that is such a device."""
    replica = Replica(
        MODEL, "sha256:published", "published/1", context_tokens, slots, (), device.rates
    )
    return NodeCard(
        node=node,
        coop=coop,
        site=f"{zone}-{node}",
        zone=zone,
        power=Power(device.device, device.idle_w, device.active_w, Basis.DECLARED),
        replicas=(replica,),
        data_classes=tuple(DataClass),
        energy=None,
        rtt_s=rtt_s,
        agent="benchmark",
    )

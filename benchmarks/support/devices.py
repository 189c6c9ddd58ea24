"""Devices: node cards from the published figures of the hardware catalogue.

Prefill rate as published, TPOT(1) as the inverse of the published decode rate. Growth of the step
with the batch, ``t1 / (t0 + t1)``, from published batch runs: 0.011 on an H100 (ML.ENERGY, 8 to 256
sequences), 0.135 on a GB10 and 0.30 on an M2 Ultra (llama.cpp, 1 to 32 sequences). Other NVIDIA
cards count as the H100, other Apple machines as the M2 Ultra, all others as the GB10.
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
    """Published figures of a device that serves an 8B model at 4 bits."""

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
    """Returns the card of a node with this device."""
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

"""A rogue node's control messages: what is out of bounds is dropped and counted, and costs nobody.

Each case is one attack on a live pool; the table stands in ``docs/reference/security.md``.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.core.builders import card, loadable, rates, replica, usage
from tests.hostile.pool import HostilePool, RogueNode
from tests.waiting import eventually

from entraide.lent_terms import LentCaps, LentHours, LentTerms
from entraide.types import Basis, EnergyStatus, Outcome, Power
from entraide.wire import codec
from entraide.wire import messages as m

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAN, INF = float("nan"), float("inf")
MIB = 1024 * 1024
LARGE = 2**62


def power(**changes: Any) -> Power:
    return msgspec.structs.replace(Power("mac-mini-m4", 5.0, 50.0, Basis.DECLARED), **changes)


def sun(**changes: Any) -> EnergyStatus:
    status = EnergyStatus(100.0, Basis.DECLARED, "panneau", 1e9, 2e9)
    return msgspec.structs.replace(status, **changes)


CARDS: dict[str, dict[str, Any]] = {
    "wake_j NaN": {"power": power(wake_j=NAN)},
    "wake_j infinite": {"power": power(wake_j=INF)},
    "wake_j negative": {"power": power(wake_j=-1e6)},
    "wake_j 1e20": {"power": power(wake_j=1e20)},
    "wake_s NaN": {"power": power(wake_s=NAN)},
    "power NaN": {"power": power(active_w=NAN)},
    "power below idle": {"power": power(active_w=1.0)},
    "power 1e6 W": {"power": power(active_w=1e6)},
    "slow and strong": {
        "power": power(active_w=99_000.0),
        "replicas": (replica(rates=rates(tpot_base_s=599.0)),),
    },
    "tpot 9e8 s": {"replicas": (replica(rates=rates(tpot_base_s=9e8)),)},
    "tpot 0": {"replicas": (replica(rates=rates(tpot_base_s=0.0, tpot_per_sequence_s=0.0)),)},
    "tpot NaN": {"replicas": (replica(rates=rates(tpot_per_sequence_s=NAN)),)},
    "prefill 0": {"replicas": (replica(rates=rates(prefill_tokens_per_s=0.0)),)},
    "prefill 1e-300": {"replicas": (replica(rates=rates(prefill_tokens_per_s=1e-300)),)},
    "slots 2^62": {"replicas": (replica(slots=LARGE),)},
    "context 2^62": {"replicas": (replica(context_tokens=LARGE),)},
    "same model twice": {"replicas": (replica(), replica())},
    "65 models": {"replicas": tuple(replica(f"m{number}") for number in range(65))},
    "model name of 300": {"replicas": (replica("x" * 300),)},
    "model name with controls": {"replicas": (replica("a\x1b[2J"),)},
    "features": {"replicas": (replica(features=("x",) * 33),)},
    "surplus infinite": {"energy": sun(surplus_w=INF)},
    "surplus clock NaN": {"energy": sun(measured_at=NAN)},
    "surplus for ever": {"energy": sun(expires_at=INF)},
    "surplus by default": {"energy": sun(basis=Basis.DEFAULT)},
    "rtt NaN": {"rtt_s": NAN},
    "agent of 300": {"agent": "x" * 300},
    "memory 2^62": {"loadable": (loadable(memory_bytes=LARGE),)},
    "memory negative": {"loadable": (loadable(memory_bytes=-1),)},
    "load time NaN": {"loadable": (loadable(load_s=NAN),)},
    "257 loadable": {"loadable": tuple(loadable(f"m{number}") for number in range(257))},
    "room 2^62": {"models_bytes": LARGE},
    "65 time ranges": {"terms": LentTerms(hours=(LentHours((0,), 0, 60),) * 65)},
    "eighth day": {"terms": LentTerms(hours=(LentHours((7,), 0, 60),))},
    "eight days": {"terms": LentTerms(hours=(LentHours((0,) * 8, 0, 60),))},
    "minute 2^62": {"terms": LentTerms(hours=(LentHours((0,), LARGE, 60),))},
    "cap NaN": {"terms": LentTerms(caps_idle=LentCaps(NAN))},
    "cap infinite": {"terms": LentTerms(caps_present=LentCaps(0.0, INF))},
}


@pytest.mark.parametrize("name", CARDS)
async def test_card_out_of_bounds_never_reaches_the_core(
    pool: HostilePool, rogue: RogueNode, name: str
) -> None:
    """A card with a value beyond its bound is dropped and counted; the pool goes on."""
    before = pool.count("node.out_of_bounds")
    await rogue.hello(**CARDS[name])
    await eventually(lambda: pool.count("node.out_of_bounds") == before + 1)

    assert "" == pool.running.state(rogue.name)
    await pool.check()


def beat(rogue: RogueNode, **changes: Any) -> m.Heartbeat:
    message = m.Heartbeat(rogue.node.boot, 1_000, 1e9, True, "", 0, None)
    return msgspec.structs.replace(message, **changes)


# A message after a valid hello, and how it is counted.
MESSAGES: dict[str, tuple[Callable[[RogueNode], Any], str]] = {
    "beat with a NaN clock": (lambda r: beat(r, sent_at=NAN, energy=sun()), "out_of_bounds"),
    "beat with a clock of 1e300": (lambda r: beat(r, sent_at=1e300), "out_of_bounds"),
    "beat with seq 2^63": (lambda r: beat(r, seq=2**63), "out_of_bounds"),
    "beat with a reason of 2 MiB": (lambda r: beat(r, reason="x" * 2 * MIB), "too_large"),
    "beat with a reason of 100": (lambda r: beat(r, reason="x" * 100), "out_of_bounds"),
    "beat with escapes": (lambda r: beat(r, reason="\x1b]0;x\x07"), "out_of_bounds"),
    "beat with infinite surplus": (lambda r: beat(r, energy=sun(surplus_w=INF)), "out_of_bounds"),
    "decline of 6 MiB": (lambda _: m.Decline("j", 1, "full", {"x": "y" * 6 * MIB}), "too_large"),
    "decline with a NaN": (lambda _: m.Decline("j", 1, "full", {"x": NAN}), "out_of_bounds"),
    "decline with 17 values": (
        lambda _: m.Decline("j", 1, "full", {f"x{number}": 1 for number in range(17)}),
        "out_of_bounds",
    ),
    "decline with a long name": (
        lambda _: m.Decline("j", 1, "full", {"x" * 65: 1}), "out_of_bounds",
    ),
    "accept of epoch 2^63": (lambda _: m.Accept("j", 2**63), "out_of_bounds"),
    "accept of a long job": (lambda _: m.Accept("j" * 129, 1), "out_of_bounds"),
    "progress of -1": (lambda _: m.Progress("j", 1, -1), "out_of_bounds"),
    "progress of 2^62": (lambda _: m.Progress("j", 1, LARGE), "out_of_bounds"),
    "report with a code of 65": (
        lambda _: m.UsageReport("j", 1, Outcome.FAILED, "x" * 65, True, usage()), "out_of_bounds",
    ),
    "goodbye of 65": (lambda _: m.Goodbye("x" * 65), "out_of_bounds"),
    "load failed with 2 MiB": (lambda _: m.LoadFailed("x" * 2 * MIB, "c", {}), "too_large"),
    "load failed of 257": (lambda _: m.LoadFailed("x" * 257, "c", {}), "out_of_bounds"),
    "digest of 65": (lambda _: m.CatalogueRequest("0" * 65), "out_of_bounds"),
    "hello of 1 MiB": (lambda r: hello(r, ("x" * 100, 1), 9_000), "too_large"),
    "hello with 4,097 runs": (lambda r: hello(r, ("j", 1), 4_097), "out_of_bounds"),
    "a message of the scheduler": (lambda _: m.StopRun("j", 1), "undecodable"),
    "an answer on the control subject": (lambda _: m.Tokens("j", 1, 0, 1, b"x"), "undecodable"),
    "nothing": (lambda _: b"", "undecodable"),
    "no MessagePack": (lambda _: b"\xc1\xc1\xc1", "undecodable"),
    "an array that never ends": (lambda _: b"\xdd\xff\xff\xff\xff", "undecodable"),
    "arrays in arrays": (lambda _: b"\x92\xa4beat" + b"\x91" * 4_000, "undecodable"),
    "a truncated message": (lambda r: codec.encode(beat(r))[:-2], "undecodable"),
    "an integer of 65 bits": (lambda _: b"\x93\xa6accept\xa1j\xcf" + b"\xff" * 8, "out_of_bounds"),
}  # fmt: skip


def hello(rogue: RogueNode, run: tuple[str, int], count: int) -> m.Hello:
    return m.Hello(card(rogue.name), rogue.node.boot, 9, 1e9, True, "", (run,) * count, m.PROTOCOL)


@pytest.mark.parametrize("name", MESSAGES)
async def test_message_out_of_bounds_is_dropped(
    pool: HostilePool, rogue: RogueNode, name: str
) -> None:
    """A message of a live node beyond its bounds is dropped and counted; the pool goes on."""
    make, why = MESSAGES[name]
    await rogue.hello()
    await eventually(lambda: pool.running.state(rogue.name) == "live")
    before = pool.count(f"node.{why}")
    await rogue.send(make(rogue))
    await eventually(lambda: pool.count(f"node.{why}") == before + 1)

    await pool.check()

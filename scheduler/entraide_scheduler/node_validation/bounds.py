"""Bounds: the limits of every field that a node sends, as a table by message and field.

``check`` applies the table; a page of the reference is generated from it; a test requires a row for
every field. A number must be finite and within its range, ends included. Integers are at most 2^53,
so that the journal, snapshots and database columns can hold them.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec import Struct

from entraide.lent_terms import LentCaps, LentHours, LentTerms
from entraide.types import (
    PREFILL_MAX_TOKENS_PER_S,
    EnergyStatus,
    Loadable,
    NodeCard,
    Power,
    Rates,
    Replica,
    Usage,
)
from entraide.units import COUNT_MAX
from entraide.wire import messages as m
from entraide_scheduler.core.accounting import ENERGY_MAX_UWH, TOKENS_MAX

NAME_CHARS = 256
CODE_CHARS = 64
CODE_FORM = r"[A-Za-z0-9_.:-]*"
TIME_MAX_S = 1e11  # about the year 5138
ANSWER_MAX_BYTES = 8 * 1024 * 1024
STREAM_MAX_BYTES = 1024 * 1024


class NumberBound(Struct, frozen=True):
    """A finite number from ``low`` to ``high``, included."""

    low: float
    high: float
    why: str


class TextBound(Struct, frozen=True):
    """A text of at most ``chars`` characters; printable unless ``free``, in a ``form`` if any."""

    chars: int
    why: str
    free: bool = False
    form: str = ""


class BytesBound(Struct, frozen=True):
    """At most ``size`` bytes."""

    size: int
    why: str


class ListBound(Struct, frozen=True):
    """At most ``count`` items; ``items`` has one bound for all, or one per position of a pair."""

    count: int
    items: "tuple[Bound, ...]"
    why: str


class ValuesBound(Struct, frozen=True):
    """Values of a code's sentence: at most ``count`` names with a number or a text each."""

    count: int
    name_chars: int
    number: NumberBound
    text: TextBound
    why: str


class StructBound(Struct, frozen=True):
    """A struct with rows of its own, or None."""

    why: str


class EnumBound(Struct, frozen=True):
    """A value of an enumeration, which the decoder checks."""

    why: str


Bound = NumberBound | TextBound | BytesBound | ListBound | ValuesBound | StructBound | EnumBound

_ENUM = EnumBound("one of the vocabulary's words")
_FLAG = EnumBound("true or false")
_NAME = TextBound(NAME_CHARS, "a name that pages and logs show")
_CODE = TextBound(CODE_CHARS, "a stable code, which cannot hold a sentence", form=CODE_FORM)
_JOB = TextBound(128, "a job's identifier")
_EPOCH = NumberBound(0, COUNT_MAX, "number of an attempt")
_CLOCK = NumberBound(0.0, TIME_MAX_S, "seconds since the epoch, on the node's clock")
_FEATURES = ListBound(32, (_NAME,), "features of one model")
_SLOTS = NumberBound(1, 4_096, "sequences that one engine runs at once")
_CONTEXT = NumberBound(1, 16_777_216, "tokens of the longest context")
_BYTES = NumberBound(0, COUNT_MAX, "bytes")
_STEP = NumberBound(0.0, 600.0, "seconds for one output token")
_TOKENS = NumberBound(0, TOKENS_MAX, "tokens of one run")
_ENERGY = NumberBound(0, ENERGY_MAX_UWH, "one run uses less than 1 MWh")
_RUN_S = NumberBound(0.0, 2_592_000.0, "a run lasts less than 30 days")
_VALUES = ValuesBound(
    16,
    CODE_CHARS,
    NumberBound(-1e15, 1e15, "a number of a sentence"),
    TextBound(1_024, "a name or an engine's words", free=True),
    "the values of one sentence",
)

BOUNDS: Mapping[type[Struct], Mapping[str, Bound]] = MappingProxyType(
    {
        m.Hello: {
            "card": StructBound("the node's card"),
            "boot": _CODE,
            "seq": NumberBound(0, COUNT_MAX, "number of a message"),
            "sent_at": _CLOCK,
            "accepting": _FLAG,
            "reason": _CODE,
            "running": ListBound(4_096, (_JOB, _EPOCH), "runs that a node holds"),
            "protocol": NumberBound(1, 1_000, "version of the protocol"),
            "lending": _ENUM,
        },
        NodeCard: {
            "node": _NAME,
            "coop": _NAME,
            "site": _NAME,
            "zone": _NAME,
            "power": StructBound("power of the machine"),
            "replicas": ListBound(
                64, (StructBound("a model that it serves"),), "models of one machine"
            ),
            "data_classes": ListBound(8, (_ENUM,), "there are three"),
            "energy": StructBound("renewable status of its site"),
            "rtt_s": NumberBound(0.0, 60.0, "round trip, seconds"),
            "agent": TextBound(NAME_CHARS, "version of the node agent"),
            "loadable": ListBound(
                256, (StructBound("a model that it could load"),), "models of a catalogue"
            ),
            "loading": ListBound(256, (_NAME,), "models that it loads"),
            "models_bytes": _BYTES,
            "controlled_by": _ENUM,
            "surplus_evidence": _ENUM,
            "terms": StructBound("hours and caps that its owner tells"),
            "node_key": TextBound(NAME_CHARS, "its key; the pool's record counts"),
            "sandbox": _ENUM,
        },
        LentTerms: {
            "hours": ListBound(64, (StructBound("a time range"),), "time ranges of one owner"),
            "caps_idle": StructBound("caps while the owner is absent"),
            "present": _ENUM,
            "caps_present": StructBound("caps while the owner is present"),
        },
        LentHours: {
            "days": ListBound(7, (NumberBound(0, 6, "a day of the week"),), "a week has seven"),
            "begin_min": NumberBound(0, 1_440, "minutes of a day"),
            "end_min": NumberBound(0, 1_440, "minutes of a day"),
        },
        LentCaps: {
            "memory_gb": NumberBound(0.0, 4_096.0, "as in the owner's file"),
            "power_w": NumberBound(0.0, 100_000.0, "as in the owner's file"),
        },
        Power: {
            "device": _NAME,
            "idle_w": NumberBound(0.0, 100_000.0, "a site that joins as one node draws less"),
            "active_w": NumberBound(0.0, 100_000.0, "the same; not below idle_w"),
            "basis": _ENUM,
            "wake_j": NumberBound(0.0, 1e7, "joules to wake one machine"),
            "wake_s": NumberBound(0.0, 3_600.0, "seconds to wake one machine"),
        },
        Rates: {
            "prefill_tokens_per_s": NumberBound(
                0.01, PREFILL_MAX_TOKENS_PER_S, "prompt tokens per second"
            ),
            "tpot_base_s": _STEP,
            "tpot_per_sequence_s": _STEP,
            "basis": _ENUM,
        },
        Replica: {
            "model": _NAME,
            "revision": _NAME,
            "engine": _NAME,
            "context_tokens": _CONTEXT,
            "slots": _SLOTS,
            "features": _FEATURES,
            "rates": StructBound("how fast it works"),
        },
        Loadable: {
            "model": _NAME,
            "revision": _NAME,
            "engine": _NAME,
            "context_tokens": _CONTEXT,
            "slots": _SLOTS,
            "features": _FEATURES,
            "memory_bytes": _BYTES,
            "fetch_bytes": _BYTES,
            "load_s": NumberBound(0.0, 604_800.0, "a fetch over a slow line takes days at most"),
        },
        EnergyStatus: {
            "surplus_w": NumberBound(0.0, 1e6, "watts of one site"),
            "basis": EnumBound("measured or declared"),
            "evidence": TextBound(NAME_CHARS, "a few words"),
            "measured_at": _CLOCK,
            "expires_at": _CLOCK,
        },
        m.Heartbeat: {
            "boot": _CODE,
            "seq": NumberBound(0, COUNT_MAX, "number of a message"),
            "sent_at": _CLOCK,
            "accepting": _FLAG,
            "reason": _CODE,
            "running": NumberBound(0, COUNT_MAX, "runs that it holds"),
            "energy": StructBound("renewable status of its site"),
            "lending": _ENUM,
            "runs": ListBound(
                m.BEAT_RUNS_MAX, (StructBound("state of a run"),), "runs that it holds"
            ),
            "prefix_held": ListBound(
                m.PREFIX_HELD_MAX, (_JOB,), "runs of which its engines hold what they read"
            ),
        },
        m.RunBeat: {
            "job": _JOB,
            "epoch": _EPOCH,
            "output_tokens": _TOKENS,
            "input_tokens": _TOKENS,
            "engine": _CODE,
        },
        m.Accept: {"job": _JOB, "epoch": _EPOCH},
        m.Decline: {"job": _JOB, "epoch": _EPOCH, "code": _CODE, "values": _VALUES},
        m.Progress: {"job": _JOB, "epoch": _EPOCH, "output_tokens": _TOKENS},
        m.UsageReport: {
            "job": _JOB,
            "epoch": _EPOCH,
            "outcome": _ENUM,
            "code": _CODE,
            "delivered": _FLAG,
            "usage": StructBound("what the run used"),
            "beside": NumberBound(0, COUNT_MAX, "runs that an engine holds at once"),
        },
        Usage: {
            "input_tokens": _TOKENS,
            "cached_tokens": _TOKENS,
            "output_tokens": _TOKENS,
            "counted": _ENUM,
            "energy_prefill_uwh": _ENERGY,
            "energy_decode_uwh": _ENERGY,
            "energy_basis": _ENUM,
            "ttft_s": _RUN_S,
            "run_s": _RUN_S,
            "reasoning_tokens": _TOKENS,
        },
        m.Goodbye: {"reason": _CODE},
        m.LoadFailed: {"model": _NAME, "code": _CODE, "values": _VALUES},
        m.CatalogueRequest: {"digest": TextBound(64, "a SHA-256 in hexadecimal")},
        m.Tokens: {
            "job": _JOB,
            "epoch": _EPOCH,
            "first": _TOKENS,
            "n": _TOKENS,
            "data": BytesBound(STREAM_MAX_BYTES, "part of a streamed answer"),
        },
        m.RunEnded: {
            "job": _JOB,
            "epoch": _EPOCH,
            "outcome": _ENUM,
            "code": _CODE,
            "values": _VALUES,
            "first": _TOKENS,
            "final": BytesBound(STREAM_MAX_BYTES, "the last chunk of a stream"),
            "body": BytesBound(ANSWER_MAX_BYTES, "a whole answer"),
            "usage": StructBound("what the run used"),
        },
    }
)

# Maximum bytes by tag: a longer message is dropped before it is decoded.
CONTROL_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "hello": 512 * 1024,
        "beat": 256 * 1024,
        "accept": 1024,
        "decline": 16 * 1024,
        "progress": 1024,
        "usage": 4 * 1024,
        "goodbye": 1024,
        "load-failed": 16 * 1024,
        "ask-catalogue": 1024,
    }
)
ANSWER_BYTES: Mapping[str, int] = MappingProxyType(
    {"tokens": STREAM_MAX_BYTES + 64 * 1024, "end": m.MESSAGE_BYTES_MAX}
)


class DerivedBound(Struct, frozen=True):
    """A bound on a number that the core computes from several fields of one struct.

    Attributes:
        name, formula: its name in a fault, and its formula on the page.
        high: largest value, included.
        low: smallest value, included.
        value: computes it from a power, and a replica's rates and slots.
        why: reason of the limit.
    """

    name: str
    formula: str
    low: float
    high: float
    value: Callable[[Power, Rates, int], float]
    why: str


DERIVED_BOUNDS: tuple[DerivedBound, ...] = (
    DerivedBound(
        "token_s",
        "tpot_base_s + tpot_per_sequence_s",
        1e-6,
        600.0,
        lambda _, rates, __: rates.tpot_base_s + rates.tpot_per_sequence_s,
        "seconds for an output token of one sequence alone",
    ),
    DerivedBound(
        "full_batch_s",
        "tpot_base_s + slots × tpot_per_sequence_s",
        0.0,
        3_600.0,
        lambda _, rates, slots: rates.tpot_base_s + slots * rates.tpot_per_sequence_s,
        "seconds for a step of a full batch",
    ),
    DerivedBound(
        "output_token_j",
        "(active_w − idle_w) × (tpot_base_s + tpot_per_sequence_s)",
        0.0,
        100_000.0,
        lambda power, rates, _: (
            (power.active_w - power.idle_w) * (rates.tpot_base_s + rates.tpot_per_sequence_s)
        ),
        "joules for an output token: a slow machine of 1 kW stays below",
    ),
    DerivedBound(
        "prompt_token_j",
        "(active_w − idle_w) / prefill_tokens_per_s",
        0.0,
        100_000.0,
        lambda power, rates, _: (power.active_w - power.idle_w) / rates.prefill_tokens_per_s,
        "joules for a prompt token",
    ),
)

"""Salts: who finds a prompt again in an engine that keeps prompts by their salts."""

import asyncio

import pytest
from msgspec import json
from tests.cases import all_cases

from entraide_node.engines import salt_keeper
from entraide_node.engines.base import CHAT, EngineRequest, HeldPrefixes
from entraide_node.engines.prefix_keeper import PrefixLease
from entraide_node.engines.salt_keeper import SaltKeeper, keeps_salts_apart

ADA, BO = b"a" * 32, b"b" * 32
BLOCK_TOKENS = 16


class Time:
    """A clock that stands."""

    now = 100.0

    def __call__(self) -> float:
        """The time, seconds."""
        return self.now


def keeper_of(time: Time, capacity_tokens: int = 10_000) -> SaltKeeper:
    """A keeper of an engine with some room."""
    return SaltKeeper(capacity_tokens=capacity_tokens, clock=time)


def begun(
    keeper: SaltKeeper, partition: bytes, *, job: str = "job", keep_s: float = 60.0
) -> PrefixLease:
    """A run that has begun."""
    asked = EngineRequest(job, CHAT, b"{}", True, "m", partition=partition, prefix_keep_s=keep_s)
    return asyncio.run(keeper.take(asked, {}))


def ran(keeper: SaltKeeper, partition: bytes, *, tokens: int = 640, **asked: object) -> str:
    """The salt of a run that has ended."""
    lease = begun(keeper, partition, **asked)  # type: ignore[arg-type]
    lease.end(tokens, is_clean=True)
    return str(lease.fields["cache_salt"])


def test_only_runs_of_one_partition_share_a_salt() -> None:
    """Runs without one, or that are not to be kept, share none with any run."""
    keeper = keeper_of(Time())
    salts = [ran(keeper, of) for of in (ADA, BO, ADA[:31], b"", b"")]
    salts.append(ran(keeper, ADA, keep_s=0.0))

    assert len({*salts}) == len(salts)
    assert ran(keeper, ADA) == salts[0]
    assert all(len(salt) >= 32 for salt in salts)


def test_a_salt_is_dropped_when_its_time_is_over() -> None:
    """The time begins anew with each run, and does not pass while one runs."""
    time = Time()
    keeper = keeper_of(time)
    first = ran(keeper, ADA)
    time.now += 59.0
    running = begun(keeper, ADA)
    time.now += 1_000.0
    beside = ran(keeper, ADA)
    running.end(640, is_clean=False)
    time.now += 60.0

    assert first == running.fields["cache_salt"] == beside
    assert HeldPrefixes() == keeper.held()
    assert first != ran(keeper, ADA)


@all_cases("forget", ["owner", "all", "limit"])
def test_what_is_forgotten_is_never_found(forget: str) -> None:
    """Nor what a run leaves that was running when its partition was to be forgotten."""
    keeper = keeper_of(Time())
    running, other = begun(keeper, ADA), ran(keeper, BO)
    if forget == "limit":
        keeper.limit(None)
        assert ran(keeper, ADA) != ran(keeper, ADA)
        keeper.limit(0)
    else:
        keeper.forget(ADA[:16] if forget == "owner" else b"")
    running.end(640, is_clean=True)

    assert running.fields["cache_salt"] != ran(keeper, ADA, job="new")
    assert (other == ran(keeper, BO)) is (forget == "owner")


def test_it_reports_the_newest_that_its_cache_has_room_for() -> None:
    """The engine evicts the oldest; a run that failed is not reported."""
    time = Time()
    keeper = keeper_of(time, capacity_tokens=1_500)
    for number in range(4):
        time.now += 1.0
        ran(keeper, bytes([number]) * 32, job=f"job-{number}")
    time.now += 1.0
    begun(keeper, ADA, job="failed").end(64, is_clean=False)

    assert HeldPrefixes(jobs=("job-3", "job-2"), blocks=20) == keeper.held()


def test_one_who_asks_much_displaces_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many salts, the owner that has most gives its oldest."""
    monkeypatch.setattr(salt_keeper, "PARTITIONS_MAX", 4)
    time = Time()
    keeper = keeper_of(time)
    other = ran(keeper, BO)
    for number in range(40):
        time.now += 1.0
        ran(keeper, ADA[:16] + bytes([number]) * 16)

    assert other == ran(keeper, BO)


@all_cases("engine", ["good", "blind", "forgetful", "silent", "short"])
def test_an_engine_is_believed_only_if_it_was_seen_to_keep_salts_apart(engine: str) -> None:
    """Not one that ignores salts, that finds nothing again, or that counts too little."""
    known: set[str] = set()

    async def post(payload: bytes) -> bytes:
        body = json.decode(payload)
        key = body["prompt"] if engine == "blind" else body["prompt"] + body["cache_salt"]
        cached = BLOCK_TOKENS if key in known and engine != "forgetful" else 0
        known.add(key)
        if engine == "silent":
            return b""
        tokens = 1 if engine == "short" else 3 * BLOCK_TOKENS
        details = {"cached_tokens": cached} if cached else None
        return json.encode({"usage": {"prompt_tokens": tokens, "prompt_tokens_details": details}})

    apart = asyncio.run(keeps_salts_apart(post, model="m", block_tokens=BLOCK_TOKENS))

    assert (engine == "good") is apart

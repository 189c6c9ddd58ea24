"""Versions of the policy on a running pool: tried, applied, rolled back, and replayed exactly."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from msgspec.structs import replace
from tests.commands import forked_entraide
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import (
    ADMIN_KEY,
    HONEST,
    RunningScheduler,
    ScriptedNode,
    running_scheduler,
)
from tests.scheduler.test_control import reason, refusal
from tests.waiting import eventually

from entraide.types import Effort
from entraide.v1 import admin_pb2 as a
from entraide_scheduler.core import events as e
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.policy import CoopReasoning, Policy, Reasoning
from entraide_scheduler.core.recording import (
    RecordedEvent,
    RecordingHead,
    event_of,
    next_digest,
    read_parts,
)
from entraide_scheduler.policy_versions.documents import read_document, write_document

CHAT = {"model": "petit", "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 9}
ANSWER = b'{"choices":[{"message":{"content":"Salut"}}],"usage":{"prompt_tokens":90}}'


async def shown(pool: RunningScheduler, version: str = "") -> tuple[a.PolicyVersion, Policy]:
    """A version as the pool shows it, and its document."""
    answer = await pool.operator.ask("GetPolicy", a.GetPolicyRequest(version=version))
    policy = read_document(answer.document).policy
    assert policy is not None
    return answer, policy


def request(document: str, **changes: Any) -> a.ApplyPolicyRequest:
    """A request that puts a document into force."""
    fields = {"author": "Élise", "reason": "voted on Monday", **changes}
    return a.ApplyPolicyRequest(document=document.encode(), **fields)


async def history(pool: RunningScheduler) -> list[tuple[str, str, bool]]:
    """The versions, newest first, each with its author and whether it is in force."""
    listed = await pool.operator.ask("ListPolicies", a.ListPoliciesRequest())
    return [(row.version, row.author, row.in_force) for row in listed.versions]


async def decide(pool: RunningScheduler, node: ScriptedNode, key: str) -> tuple[str, str]:
    """Asks a question; returns the versions that its receipt and its explanation name."""
    node.runs.clear()
    async with pool.session(key) as session:
        pending = asyncio.ensure_future(session.post("/v1/chat/completions", json=CHAT))
        await eventually(lambda: node.runs)
        await node.finish(node.runs[0], ANSWER, **HONEST)
        receipt = (await (await pending).json())["entraide"]
        job = node.runs[0].job
        async with session.get(f"/v1/jobs/{job}/explanation") as answer:
            explanation = await answer.json()
    return receipt["policy_version"], explanation["policy_version"]


async def live_node(pool: RunningScheduler) -> ScriptedNode:
    """A node that is live."""
    node = await pool.join()
    await node.send_hello()
    await eventually(lambda: pool.state(node.name) == "live")
    return node


async def exported(pool: RunningScheduler) -> list[Any]:
    """The parts of the journal that the pool sends."""
    metadata = (("authorization", f"Bearer {ADMIN_KEY}"),)
    call = pool.operator._admin.ExportJournal(a.ExportJournalRequest(), metadata=metadata)
    raw = b"".join([part.data async for part in call])
    return list(read_parts([gzip.decompress(raw)]))


async def entraide(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Runs the command beside the pool; returns its status and what it printed."""
    done = await asyncio.to_thread(forked_entraide, *arguments, "--state", str(folder))
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path, pool: RunningScheduler) -> Path:
    """The folder of the pool, with the file in which commands find it."""
    file = {"grpc": f"127.0.0.1:{pool.service.grpc.port}", "admin_key": ADMIN_KEY}
    (tmp_path / "pool.json").write_text(json.dumps(file))
    return tmp_path


async def test_next_decision_names_the_new_version_and_the_replay_is_exact(
    pool: RunningScheduler,
) -> None:
    """Decisions before, between and after two changes each name their version; the journal over
    both changes replays byte for byte."""
    node, key = await live_node(pool), await pool.operator.key("alpha")
    before = await decide(pool, node, key)
    _, policy = await shown(pool)
    document = write_document(policy).replace("shares = 1.0", "shares = 2.0", 1)
    applied = await pool.operator.ask("ApplyPolicy", request(document))
    between = await decide(pool, node, key)
    back = a.RollBackPolicyRequest(version="1", author="Marc", reason="an error")
    rolled_back = await pool.operator.ask("RollBackPolicy", back)
    after = await decide(pool, node, key)
    parts = await exported(pool)
    head, lines = parts[0], [part for part in parts if isinstance(part, RecordedEvent)]
    core, digest, policies = Core.restore(head.core), head.digest, []
    for line in lines:
        event = event_of(line)
        digest = next_digest(digest, line.event, core.handle(event))
        if isinstance(event, e.PolicyChanged):
            policies.append((event.policy.version, event.policy.coops[0].shares))

        assert line.digest == digest

    assert [("1", "1"), ("2", "2"), ("3", "3")] == [before, between, after]
    assert ("2", "3") == (applied.version, rolled_back.version)
    assert isinstance(head, RecordingHead)
    assert [("1", 1.0), ("2", 2.0), ("3", 1.0)] == policies
    assert [("3", "Marc", True), ("2", "Élise", False), ("1", "", False)] == await history(pool)


async def test_document_of_an_older_version_is_refused(pool: RunningScheduler) -> None:
    """Two operators begin from version 1: the second would undo the first, and is refused."""
    _, policy = await shown(pool)
    first = write_document(policy).replace("shares = 1.0", "shares = 2.0", 1)
    second = write_document(policy).replace('version = "1"', 'version = "2027-01"')
    await pool.operator.ask("ApplyPolicy", request(first))
    late = await refusal(pool.operator.ask("ApplyPolicy", request(second)))
    wrong_base = await refusal(
        pool.operator.ask("ApplyPolicy", request(second, base_version="1"), lang="en")
    )
    no_base = request(second.partition("\n")[2])
    unknown = await refusal(pool.operator.ask("ApplyPolicy", no_base))
    kept, _ = await shown(pool)
    forced = await pool.operator.ask("ApplyPolicy", request(second, overwrite=True))

    assert ["policy_changed", "policy_changed", "policy_base_unknown"] == [
        reason(problem) for problem in (late, wrong_base, unknown)
    ]
    assert grpc.StatusCode.ABORTED == late.code()
    assert "--overwrite" in (wrong_base.details() or "")
    assert ("2", "2027-01") == (kept.version, forced.version)


async def test_faulty_document_changes_nothing(pool: RunningScheduler) -> None:
    """A fault is refused with its key, an unnamed author or reason too, and nothing is stored."""
    _, policy = await shown(pool)
    good = write_document(policy)
    bad = await refusal(
        pool.operator.ask("ApplyPolicy", request(good.replace("shares = 1.0", "shares = 0.0", 1)))
    )
    unsigned = [
        await refusal(pool.operator.ask("ApplyPolicy", request(good, **{field: " "})))
        for field in ("author", "reason")
    ]
    check = await pool.operator.ask(
        "CheckPolicy", a.CheckPolicyRequest(document=b'version = "1"\nx = 1\n[weights]\nper_g=-1')
    )
    nowhere = a.RollBackPolicyRequest(version="9", author="a", reason="b")
    unknown = await refusal(pool.operator.ask("RollBackPolicy", nowhere))
    same = a.RollBackPolicyRequest(version="1", author="a", reason="b")
    unchanged = await refusal(pool.operator.ask("RollBackPolicy", same))

    assert "policy_refused" == reason(bad)
    assert "coops.alpha.shares" in (bad.details() or "")
    assert ["invalid_request"] * 2 == [reason(problem) for problem in unsigned]
    assert 2 == len(check.faults)
    assert ("1", "") == (check.in_force, check.base_version)
    assert ["unknown_policy", "policy_unchanged"] == [reason(unknown), reason(unchanged)]
    assert [("1", "", True)] == await history(pool)


async def test_version_that_the_core_cannot_take_is_withdrawn(
    pool: RunningScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the core fails on a policy, the version before stays in force, in the store too."""
    _, policy = await shown(pool)
    document = write_document(policy).replace("shares = 1.0", "shares = 2.0", 1)
    with monkeypatch.context() as patch:
        patch.setattr(pool.driver, "feed", lambda *_, **__: False)
        problem = await refusal(pool.operator.ask("ApplyPolicy", request(document)))
    after = await history(pool)
    applied = await pool.operator.ask("ApplyPolicy", request(document))

    assert "policy_refused" == reason(problem)
    assert [("1", "", True)] == after
    assert "2" == applied.version


async def test_change_of_one_coop_is_a_version_with_its_author(pool: RunningScheduler) -> None:
    """``coops set`` makes a version like any other; the same call again makes none."""
    change = a.Coop(coop="alpha", shares=3.0, author="Marc", reason="a new machine")
    for _ in range(2):
        await pool.operator.ask("SetCoop", change)
    listed = await pool.operator.ask("ListPolicies", a.ListPoliciesRequest())

    assert [("2", "Marc", True), ("1", "", False)] == await history(pool)
    assert "a new machine" == listed.versions[0].reason
    assert listed.versions[0].at >= listed.versions[1].at > 0.0
    assert (35.0, 5_000_000) == (listed.journal.keep_days, listed.journal.events_max)


async def test_coop_that_leaves_takes_its_exceptions_along(pool: RunningScheduler) -> None:
    """A policy with an exception for a co-op that is no member would be refused."""
    _, before = await shown(pool)
    exceptions = tuple(CoopReasoning(coop, Effort.LOW) for coop in ("alpha", "beta"))
    document = write_document(replace(before, reasoning=Reasoning(coops=exceptions)))
    await pool.operator.ask("ApplyPolicy", request(document, overwrite=True))
    await pool.operator.ask("RemoveCoop", a.RemoveCoopRequest(coop="beta"))
    _, after = await shown(pool)

    assert ["alpha"] == [terms.coop for terms in after.coops]
    assert ["alpha"] == [terms.coop for terms in after.reasoning.coops]


async def test_name_of_a_coop_is_kept_until_it_is_changed(pool: RunningScheduler) -> None:
    """A change that does not speak of the name keeps it; an empty one takes it away."""
    names = []
    for change in (a.Coop(name="Les Abeilles"), a.Coop(shares=2.0), a.Coop(name="")):
        change.coop = "alpha"
        names.append((await pool.operator.ask("SetCoop", change)).name)
    taken = a.Coop(coop="alpha", name="BETA")
    problem = await refusal(pool.operator.ask("SetCoop", taken))

    assert ["Les Abeilles", "Les Abeilles", ""] == names
    assert "policy_refused" == reason(problem)


async def test_operator_tries_applies_and_rolls_back_by_the_command(
    pool: RunningScheduler, folder: Path
) -> None:
    """The commands print, check, compare, try, apply, list and roll back, without a restart."""
    node, key = await live_node(pool), await pool.operator.key("alpha")
    await decide(pool, node, key)
    file = folder / "voted.toml"
    _, printed, _ = await entraide(folder, "policy", "show")
    file.write_text(printed.replace('version = "1"', 'version = "2027-01"', 1))
    named = 'shares = 4.0\nname = "Les Abeilles"'
    unnamed = file.read_text().replace('name = ""\n', "", 1)
    file.write_text(unnamed.replace("shares = 1.0", named, 1))
    checked = await entraide(folder, "policy", "check", str(file))
    _, differences, _ = await entraide(folder, "policy", "diff", str(file))
    out = folder / "try"
    tried = await entraide(folder, "policy", "try", str(file), "--days", "30", "--out", str(out))
    applied = await entraide(folder, "policy", "apply", str(file), "--reason", "assembly")
    again = await entraide(folder, "policy", "apply", str(file), "--reason", "again", "--base", "1")
    await node.send_hello()  # the commands took longer than a node may be silent
    await eventually(lambda: pool.state(node.name) == "live")
    named = await decide(pool, node, key)
    _, listed, _ = await entraide(folder, "policy", "history")
    back = await entraide(folder, "policy", "rollback", "1", "--reason", "too much", "--json")

    assert (0, "") == (tried[0], tried[2])

    replay = json.loads((out / "replay.json").read_text())

    assert (0, f"{file} is valid.\n", "") == checked
    assert 'Les Abeilles (alpha): shown name none → "Les Abeilles"' in differences
    assert "Les Abeilles: shares 1 → 4." in differences
    assert "\nLes Abeilles " in tried[1]  # its row of the table
    assert "of the 30 asked for" in tried[1]
    assert {"alpha", "beta"} >= set(replay["compared"]["coops"]) >= {"alpha"}
    assert replay["exact"]
    assert 0o600 == (out / "pool.journal").stat().st_mode & 0o777
    assert (0, "Version 2027-01 is in force.\n") == applied[:2]
    assert 1 == again[0]
    assert "version 2027-01 is in force now" in again[2]
    assert ("2027-01", "2027-01") == named
    assert "2027-01 *" in listed
    assert "assembly" in listed
    assert "It keeps 35 days, at most" in listed
    assert (0, "2027-01+1") == (back[0], json.loads(back[1])["version"])


async def test_default_jurisdiction_follows_the_policy_without_a_restart(
    pool: RunningScheduler,
) -> None:
    """A job that names no jurisdiction gets that of the policy in force when it is decided."""
    await live_node(pool)
    key = await pool.operator.key("alpha")
    _, policy = await shown(pool)
    document = write_document(policy).replace('jurisdiction = "CA"', 'jurisdiction = "CA-ON"')
    await pool.operator.ask("ApplyPolicy", request(document))
    async with pool.session(key) as session:
        answer = await session.post("/v1/chat/completions", json=CHAT)
        body = await answer.json()

    assert (503, "place_outside") == (answer.status, body["error"]["code"])


async def test_policy_survives_a_restart(tmp_path: Path, bus: NatsPool) -> None:
    """The version that was applied last is in force after a restart, not the config's."""
    async with running_scheduler(tmp_path, bus) as pool:
        _, policy = await shown(pool)
        document = write_document(policy).replace("shares = 1.0", "shares = 2.0", 1)
        await pool.operator.ask("ApplyPolicy", request(document))
    async with running_scheduler(tmp_path, bus) as pool:
        version, policy = await shown(pool)

        assert ("2", 2.0) == (version.version, policy.coops[0].shares)
        assert "2" == pool.driver.policy_version

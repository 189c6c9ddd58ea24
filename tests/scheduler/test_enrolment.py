"""Joining over HTTPS and gRPC, what the operator vouches for, and how nodes and co-ops go."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google.protobuf.json_format import MessageToDict
from msgspec.structs import asdict
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import (
    RunningScheduler,
    ScriptedNode,
    running_scheduler,
    signed_request,
)
from tests.scheduler.test_control import reason, refusal
from tests.waiting import eventually

from entraide.types import Control, DataClass
from entraide.v1 import admin_pb2 as a
from entraide.wire import messages as m
from entraide.wire import subjects
from entraide.wire.enrolment import JoinRequest, read_secret, split_link
from entraide.wire.nats import Identity, new_user_key, public_user_key
from entraide_scheduler.bus import NatsSchedulerAdapter
from entraide_scheduler.nodes.enrolment import REFUSED_MAX, _is_sealing_key
from entraide_scheduler.pool.trial import begin_trial, end_trial
from entraide_scheduler.upgrade_trial import RETRY_AFTER_S

UNKNOWN = f"join_{'o' * 32}"
VOUCHED = {
    "site": "Val-d’Or", "zone": "CA-QC", "controlled_by": "member",
    "data_classes": ["public", "internal"],
}  # fmt: skip


async def invite(pool: RunningScheduler, coop: str = "beta", **vouched: Any) -> a.JoinToken:
    """Makes an invitation for a machine of a co-op."""
    request = a.CreateJoinTokenRequest(coop=coop, valid_s=60.0, **vouched)
    made: a.JoinToken = await pool.operator.ask("CreateJoinToken", request)
    return made


Key = tuple[str, str]  # seed and public key


def word(token: str, key: Key, **changes: Any) -> dict[str, Any]:
    """The body of a machine's request, signed by its key."""
    fields = {"node_name": "n1", **changes}
    return asdict(signed_request(read_secret(token).token, key[0], **fields))


async def post(
    pool: RunningScheduler, body: Any, *, lang: str = "fr"
) -> tuple[int, dict[str, Any], str]:
    """Posts a request to join; returns the status, the answer and ``Retry-After``."""
    headers = {"accept-language": lang}
    async with (
        aiohttp.ClientSession(pool.gateway.url, headers=headers) as session,
        session.post("/v1/enrolment", json=body) as answer,
    ):
        return answer.status, await answer.json(), answer.headers.get("retry-after", "")


async def enter(pool: RunningScheduler, seed: str, answer: dict[str, Any]) -> ScriptedNode:
    """Connects a node with the identity that joining gave it."""
    identity = Identity(answer["jwt"], seed, subjects.node_inbox(public_user_key(seed)))
    return await pool.enter(answer["node"], identity, answer["nats_urls"])


async def test_a_machine_joins_over_http_alone(pool: RunningScheduler) -> None:
    """One POST without a key gives an identity that the bus accepts, and the node serves."""
    made, key = await invite(pool, **VOUCHED), new_user_key()
    status, answer, _ = await post(pool, word(made.token, key))
    node = await enter(pool, key[0], answer)
    await node.send_hello()
    await eventually(lambda: pool.state("n1") == "live")
    row = pool.registry.get("n1")

    assert (200, "n1", "beta", "approved") == (
        status, answer["node"], answer["coop"], answer["approval"],
    )  # fmt: skip
    assert VOUCHED == {name: answer[name] for name in VOUCHED}
    assert row is not None
    assert (Control.MEMBER, (DataClass.PUBLIC, DataClass.INTERNAL)) == (
        row.controlled_by,
        row.data_classes,
    )


async def test_a_node_whose_word_contradicts_its_token_is_not_believed(
    pool: RunningScheduler,
) -> None:
    """Neither what it says when it joins nor what its card says later changes the record."""
    made, key = await invite(pool, **VOUCHED), new_user_key()
    lie = word(made.token, key, zone="CA-AB", site="Calgary") | {"controlled_by": "canadian"}
    _, answer, _ = await post(pool, lie)
    node = await enter(pool, key[0], answer)
    await node.send_hello(zone="CA-AB", site="Calgary", coop="alpha")
    await eventually(lambda: pool.state("n1") == "live")
    (view,) = pool.driver.core.nodes()

    assert VOUCHED == {name: answer[name] for name in VOUCHED}
    assert ("beta", "CA-QC", "Val-d’Or") == (view.card.coop, view.card.zone, view.card.site)


async def test_nobody_joins_while_an_upgrade_is_tried(pool: RunningScheduler) -> None:
    """A refused upgrade would forget the machine; its token serves once the trial is over."""
    made, key = await invite(pool), new_user_key()
    (pool.home / "upgrade").mkdir()
    begin_trial(pool.home, pool.home / "versions/9.9.9-0", None)
    status, answer, retry_after = await post(pool, word(made.token, key))
    names = [row.node for row in pool.registry.list_nodes()]
    end_trial(pool.home)
    later, joined, _ = await post(pool, word(made.token, key))

    assert (503, "upgrade_trial") == (status, answer["error"]["code"])
    assert (str(round(RETRY_AFTER_S)), []) == (retry_after, names)
    assert (200, "n1") == (later, joined["node"])


async def test_the_joiner_names_its_site_and_no_zone(pool: RunningScheduler) -> None:
    """Its owner's word on a zone that nobody vouched for is shown to the operator and counts for
    nothing; the site is its own to name."""
    spoken, silent = await invite(pool), await invite(pool)
    _, first, _ = await post(pool, word(spoken.token, new_user_key(), zone="CA-ON", site="Sud"))
    _, second, _ = await post(pool, word(silent.token, new_user_key()))
    shown = await pool.operator.node(first["node"])

    assert ("", "Sud", "") == (first["zone"], first["site"], first["controlled_by"])
    assert ("", "beta") == (second["zone"], second["site"])
    assert ("", "CA-ON") == (shown.zone, shown.said_zone)


async def test_both_ways_in_are_one(pool: RunningScheduler) -> None:
    """gRPC answers with the same fields as HTTP."""
    made, key = await invite(pool, **VOUCHED), new_user_key()
    _, by_http, _ = await post(pool, word(made.token, key))
    by_grpc = await pool.operator.join((await invite(pool, **VOUCHED)).token, key[0], zone="")
    fields = MessageToDict(
        by_grpc, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )

    assert by_http | {"jwt": ""} == fields | {"jwt": ""}


async def test_a_used_expired_or_foreign_link_is_refused_with_a_remedy(
    pool: RunningScheduler,
) -> None:
    """Each refusal says what is wrong, in the caller's language, and names the remedy."""
    used = await invite(pool)
    await post(pool, word(used.token, new_user_key()))
    request = a.CreateJoinTokenRequest(coop="beta", valid_s=0.01)
    late = await pool.operator.ask("CreateJoinToken", request)
    await eventually(lambda: pool.driver.now() > late.expires_at)
    answers = [
        await post(pool, word(token, new_user_key()), lang=lang)
        for token, lang in (
            (used.token, "fr"), (used.token, "en"), (late.token, "en"), (UNKNOWN, "en"),
        )
    ]  # fmt: skip
    sentences = [answer["error"]["message"] for _, answer, _ in answers]

    assert {(403, "join_token_refused")} == {
        (status, answer["error"]["code"]) for status, answer, _ in answers
    }
    assert "déjà servi" in sentences[0]
    assert "used already" in sentences[1]
    assert "expired" in sentences[2]
    assert "does not know this invitation" in sentences[3]
    assert all("entraide invite" in sentence for sentence in sentences)


async def test_a_lost_reply_does_not_lose_the_invitation(pool: RunningScheduler) -> None:
    """The key that used an invitation may show it again; another key may not."""
    made, key = await invite(pool), new_user_key()
    first = await post(pool, word(made.token, key))
    again = await post(pool, word(made.token, key))
    other = await post(pool, word(made.token, new_user_key()))

    assert (200, 200, 403) == (first[0], again[0], other[0])
    assert first[1]["node"] == again[1]["node"]
    assert 1 == len(pool.registry.list_nodes())


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"zone": "Québec"}, "zone"), ({"node_public_key": "U"}, "node_public_key"),
        ({"site": "x" * 100}, "site"), ({"site": "\x1b[2J"}, "site"), ({"token": 5}, "token"),
        ({"sealing_public_key": "short"}, "sealing_public_key"),
        ({"sealing_public_key": "A" * 43 + "="}, "sealing_public_key"),
    ],
)  # fmt: skip
async def test_a_request_out_of_bounds(
    pool: RunningScheduler, changes: dict[str, Any], param: str
) -> None:
    """It is refused in OpenAI's shape, with the field, and the token is still good."""
    made, key = await invite(pool), new_user_key()
    status, answer, _ = await post(pool, word(made.token, key) | changes)
    joined, _, _ = await post(pool, word(made.token, key))

    assert (400, "invalid_request", param) == (
        status, answer["error"]["code"], answer["error"]["param"],
    )  # fmt: skip
    assert 200 == joined


async def test_a_body_that_is_too_large(pool: RunningScheduler) -> None:
    """A machine without a key may send little."""
    status, answer, _ = await post(pool, {"token": "x" * 8_192})

    assert (413, "body_too_large") == (status, answer["error"]["code"])


async def test_an_address_that_guesses_must_wait(pool: RunningScheduler) -> None:
    """After a number of refusals nothing from this address is considered for a minute."""
    made, key = await invite(pool), new_user_key()
    guesses = [await post(pool, word(f"join_{n:032}", key)) for n in range(REFUSED_MAX)]
    status, answer, wait_s = await post(pool, word(made.token, key))
    error = await refusal(pool.operator.join(made.token, key[0]))

    assert {403} == {status for status, _, _ in guesses}
    assert (429, "too_many_joins") == (status, answer["error"]["code"])
    assert 0 < int(wait_s) <= 60
    assert "too_many_joins" == reason(error)


async def test_a_gateway_of_its_own_takes_machines_in(
    pool: RunningScheduler, bus: NatsPool
) -> None:
    """Its request goes to the scheduler over the bus; a refusal comes back the same way."""
    made, key = await invite(pool, **VOUCHED), new_user_key()
    adapter = NatsSchedulerAdapter(await bus.gateway("second"), "second")
    request = JoinRequest(**word(made.token, key))
    reply = await adapter.enrol(request, "203.0.113.9")
    refused = await adapter.enrol(JoinRequest(**word(UNKNOWN, key)), "203.0.113.9")
    await adapter.stop()

    assert reply.response is not None
    assert ("n1", Control.MEMBER) == (reply.response.node, reply.response.controlled_by)
    assert (None, "join_token_refused", {"why": "unknown"}) == (
        refused.response, refused.code, refused.values,
    )  # fmt: skip


async def test_an_invitation_is_one_link(pool: RunningScheduler) -> None:
    """It has the pool's address and the token; without TLS there is nothing to prove."""
    made = await invite(pool)
    url, secret = split_link(made.link)

    assert (pool.gateway.url, made.token) == (url, secret)


@pytest.mark.parametrize(
    ("vouched", "param"),
    [
        ({"zone": "Québec"}, "zone"), ({"site": "x" * 100}, "site"),
        ({"controlled_by": "us"}, "controlled_by"), ({"data_classes": ["secret"]}, "data_classes"),
    ],
)  # fmt: skip
async def test_the_operator_vouches_in_known_words(
    pool: RunningScheduler, vouched: dict[str, Any], param: str
) -> None:
    """An unknown word is refused, with the words that there are."""
    error = await refusal(invite(pool, **vouched))

    assert "invalid_request" == reason(error)
    assert param in error.details()


async def test_by_hand_a_node_waits_until_the_operator_approves_it(
    tmp_path: Path, bus: NatsPool
) -> None:
    """It is told so, and it is let in without a restart; a second joining does not wait again."""
    coops = '[[coops]]\ncoop = "alpha"\n[[coops]]\ncoop = "beta"\n'
    (tmp_path / "policy.toml").write_text(f'version = "1"\napproval = "hand"\n{coops}')
    async with running_scheduler(tmp_path, bus, 'policy_file = "policy.toml"') as pool:
        made, key = await invite(pool), new_user_key()
        _, answer, _ = await post(pool, word(made.token, key))
        node = await enter(pool, key[0], answer)
        await node.send_hello()
        await eventually(lambda: node.received(m.ApprovalPending))
        waiting = await pool.operator.node("n1")
        await pool.operator.ask("ApproveNode", a.NodeRequest(node="n1"))
        await node.send_hello()
        await eventually(lambda: pool.state("n1") == "live")
        _, again, _ = await post(pool, word((await invite(pool)).token, key))

        assert ("waiting", "", "waiting") == (answer["approval"], waiting.state, waiting.approval)
        assert ("n1", "approved") == (again["node"], again["approval"])
        assert 1 == len(node.received(m.ApprovalPending))


async def live_node(pool: RunningScheduler) -> ScriptedNode:
    """Joins a node and waits until it is live."""
    node = await pool.join()
    await node.send_hello()
    await eventually(lambda: pool.state(node.name) == "live")
    return node


async def test_a_node_is_forgotten_once_it_is_revoked(pool: RunningScheduler) -> None:
    """While it works it must be revoked first; then its record goes, and it may come again, with
    another name."""
    node = await live_node(pool)
    early = await refusal(pool.operator.ask("ForgetNode", a.NodeRequest(node="n1")))
    await pool.operator.ask("RevokeNode", a.NodeRequest(node="n1"))
    forgotten = await pool.operator.ask("ForgetNode", a.NodeRequest(node="n1"))
    listed = await pool.operator.ask("ListNodes", a.ListNodesRequest())
    again = await refusal(pool.operator.ask("ForgetNode", a.NodeRequest(node="n1")))
    await eventually(lambda: not node.connection.is_connected)
    back = await pool.join("n1", coop="alpha")

    assert ("node_live", "unknown_node") == (reason(early), reason(again))
    assert ("n1", []) == (forgotten.node, list(listed.nodes))
    assert "n1-2" == back.name


async def test_a_node_that_is_gone_is_forgotten_with_its_key(pool: RunningScheduler) -> None:
    """A machine that never said hello is not connected; its identity is revoked with it."""
    key = new_user_key()
    await post(pool, word((await invite(pool)).token, key))
    await pool.operator.ask("ForgetNode", a.NodeRequest(node="n1"))
    status, answer, _ = await post(pool, word((await invite(pool)).token, key))

    assert pool.service.parts.identity.is_revoked(key[1])
    assert (409, "node_key_revoked") == (status, answer["error"]["code"])


async def test_a_coop_that_leaves_keeps_its_books(pool: RunningScheduler) -> None:
    """Its keys, nodes and invitations are revoked at once; its statement can still be read."""
    node, key = await live_node(pool), await pool.operator.key("alpha")
    own_key, open_invitation = await pool.operator.key("beta"), await invite(pool)
    body = {"model": "petit", "messages": [{"role": "user", "content": "Bonjour"}]}
    async with pool.session(key) as session:
        request = {"path": "/v1/chat/completions", "request": body | {"max_tokens": 9}}
        async with session.post("/v1/jobs", json=request) as answer:
            assert 202 == answer.status
        await eventually(lambda: node.runs)
        await node.finish(node.runs[0])
        await eventually(lambda: node.received(m.UsageAck))
    removed = await pool.operator.ask("RemoveCoop", a.RemoveCoopRequest(coop="beta"))
    again = await refusal(pool.operator.ask("RemoveCoop", a.RemoveCoopRequest(coop="beta")))
    async with pool.session(own_key) as session, session.get("/v1/models") as refused:
        status = refused.status
    await eventually(lambda: not node.connection.is_connected)
    late, _, _ = await post(pool, word(open_invitation.token, new_user_key()))
    coops = await pool.operator.ask("ListCoops", a.ListCoopsRequest())
    statement = await pool.operator.ask("GetStatement", a.GetStatementRequest(coop="beta"))

    assert (1, ["n1"]) == (len(removed.keys), list(removed.nodes))
    assert "unknown_coop" == reason(again)
    assert (401, 403) == (status, late)
    assert ["alpha"] == [coop.coop for coop in coops.coops]
    assert 1 == statement.given.jobs


def test_a_sealing_key_outside_ascii_is_no_key() -> None:
    """Base64 of such a text is refused like any other text that is no key."""
    assert not _is_sealing_key("\x80")

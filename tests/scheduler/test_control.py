"""Enrolment and administration over real gRPC."""

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.scheduler.pool_support import RunningScheduler
from tests.waiting import eventually

from entraide.v1 import admin_pb2 as a
from entraide.wire import messages as m
from entraide.wire.nats import new_user_key
from entraide_scheduler.control.operator_access import METHODS
from entraide_scheduler.core import events as e
from entraide_scheduler.core.records import SenderKind

Refused = grpc.aio.AioRpcError


def reason(error: Refused) -> str:
    """Returns the stable code in an error's details."""
    raw = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(raw).details[0].Unpack(info)
    return info.reason


async def refusal(call: Any) -> Refused:
    """Returns the error that a call ends with."""
    with pytest.raises(Refused) as refused:
        await call
    return refused.value


async def test_wrong_operator_key_may_do_nothing(pool: RunningScheduler) -> None:
    """Without the operator's key every call of the Admin service is refused."""
    answered = []
    for name, method in METHODS.items():
        request = GetMessageClass(method.input_type)()
        for key in ("", "wrong"):
            metadata = (("authorization", f"Bearer {key}"),)
            call = getattr(pool.operator._admin, name)(request, metadata=metadata)
            error = await refusal(call.read() if method.server_streaming else call)
            if ("unauthorised", grpc.StatusCode.UNAUTHENTICATED) != (reason(error), error.code()):
                answered.append(name)

    assert [] == answered
    assert len(METHODS) > 30


async def test_errors_are_said_in_the_callers_language(pool: RunningScheduler) -> None:
    """The same error has one code and a sentence in French or in English."""
    request = a.NodeRequest(node="nobody")
    french = await refusal(pool.operator.ask("RevokeNode", request, lang="fr-CA,fr;q=0.9"))
    english = await refusal(pool.operator.ask("RevokeNode", request, lang="en"))

    assert ("unknown_node", "unknown_node") == (reason(french), reason(english))
    assert "nœud" in french.details()
    assert "node" in english.details()


async def test_machine_joins_once_by_token_and_gets_a_name_of_its_own(
    pool: RunningScheduler,
) -> None:
    """A token takes in one machine, under a name that no other node has."""
    tokens = [await pool.operator.token("beta"), await pool.operator.token("alpha")]
    first = await pool.operator.join(tokens[0], new_user_key()[0], node_name="Mac d'Élise")
    second = await pool.operator.join(tokens[1], new_user_key()[0], node_name="mac-d-elise")
    again = await refusal(pool.operator.join(tokens[0], new_user_key()[0]))

    assert ("mac-d-elise", "beta") == (first.node, first.coop)
    assert ("mac-d-elise-2", "alpha") == (second.node, second.coop)
    assert ("join_token_refused", grpc.StatusCode.PERMISSION_DENIED) == (
        reason(again),
        again.code(),
    )


async def test_token_is_not_used_up_by_a_request_that_is_wrong(pool: RunningScheduler) -> None:
    """A join with a malformed key or zone is refused, and the token still serves."""
    token, seed = await pool.operator.token(), new_user_key()[0]
    wrong = [
        await refusal(pool.operator.join(token, seed, node_public_key="not a key")),
        await refusal(pool.operator.join(token, seed, zone="Québec")),
        await refusal(pool.operator.join(token, seed, site="x" * 100)),
    ]
    joined = await pool.operator.join(token, seed)

    assert ["invalid_request"] * 3 == [reason(error) for error in wrong]
    assert "n1" == joined.node


async def test_token_expires(pool: RunningScheduler) -> None:
    """A token is of no use after its time."""
    token = await pool.operator.token(valid_s=0.01)
    made_at = pool.driver.now()
    await eventually(lambda: pool.driver.now() > made_at + 0.01)
    error = await refusal(pool.operator.join(token, new_user_key()[0]))

    assert "join_token_refused" == reason(error)


async def test_revoked_node_is_cut_off_and_joins_again_with_a_new_key(
    pool: RunningScheduler,
) -> None:
    """Revoking cuts a node's connection at once; its key stays refused, its name taken."""
    node = await pool.join("n1")
    await node.send_hello()
    await eventually(lambda: pool.state("n1") == "live")
    revoked = await pool.operator.ask("RevokeNode", a.NodeRequest(node="n1"))
    await eventually(lambda: not node.connection.is_connected)
    approve = await refusal(pool.operator.ask("ApproveNode", a.NodeRequest(node="n1")))
    back = await pool.join("n1")
    await back.send_hello()
    await eventually(lambda: pool.state("n1-2") == "live")

    assert ("revoked", "left") == (revoked.approval, revoked.state)
    assert "node_key_revoked" == reason(approve)
    assert "revoked" == (await pool.operator.node("n1")).approval
    assert ("n1-2", "approved") == (back.name, (await pool.operator.node("n1-2")).approval)


async def test_node_is_listed_with_what_it_does(pool: RunningScheduler) -> None:
    """The operator sees a node's place, speed and state."""
    node = await pool.join("n1", coop="beta", zone="CA-ON")
    before = await pool.operator.node("n1")
    await node.send_hello()
    await eventually(lambda: node.received(m.Welcome))
    after = await pool.operator.node("n1")

    assert ("", "CA-ON", "approved") == (before.state, before.zone, before.approval)
    assert ("live", True, ["petit"], 4) == (
        after.state,
        after.accepting,
        list(after.models),
        after.slots,
    )
    assert (1_000.0, "bench") == (after.prefill_tokens_per_s, after.device)


async def test_coop_is_created_and_its_quota_is_in_force_at_once(pool: RunningScheduler) -> None:
    """Setting a co-op's terms makes a new version of the policy, which outlives a restart."""
    quota = a.Quota(kind="tokens", limit=1_000, period="day")
    made = await pool.operator.ask("SetCoop", a.Coop(coop="gamma", shares=2.0, quotas=[quota]))
    status = await pool.operator.ask("GetStatus", a.GetStatusRequest())
    listed = await pool.operator.ask("ListCoops", a.ListCoopsRequest())

    assert ("gamma", 2.0, 1_000) == (made.coop, made.shares, made.quotas[0].limit)
    assert "2" == status.policy_version
    assert ["alpha", "beta", "gamma"] == [coop.coop for coop in listed.coops]


@pytest.mark.parametrize(
    ("coop", "code"),
    [
        (a.Coop(coop="Not a name"), "invalid_request"),
        (a.Coop(coop="gamma", shares=-1.0), "policy_refused"),
        (
            a.Coop(coop="gamma", quotas=[a.Quota(kind="apples", limit=1, period="day")]),
            "invalid_request",
        ),
        (
            a.Coop(coop="gamma", quotas=[a.Quota(kind="tokens", limit=1, period="none")]),
            "policy_refused",
        ),
    ],
    ids=["name", "shares", "kind", "period"],
)
async def test_terms_that_make_no_sense_are_refused(
    pool: RunningScheduler, coop: a.Coop, code: str
) -> None:
    """Terms that the policy's own rules refuse change nothing."""
    error = await refusal(pool.operator.ask("SetCoop", coop))
    status = await pool.operator.ask("GetStatus", a.GetStatusRequest())

    assert code == reason(error)
    assert "1" == status.policy_version


async def test_key_opens_the_pool_until_it_is_revoked(pool: RunningScheduler) -> None:
    """A key's secret is shown once and works at once; revoked, it is refused at once."""
    made = await pool.operator.ask("CreateKey", a.CreateKeyRequest(coop="alpha", label="x"))
    listed = await pool.operator.ask("ListKeys", a.ListKeysRequest(coop="alpha"))
    async with pool.session(made.secret) as session:
        async with session.get("/v1/models") as answer:
            before = answer.status
        await pool.operator.ask("RevokeKey", a.RevokeKeyRequest(key=made.key))
        async with session.get("/v1/models") as answer:
            after = answer.status

    assert made.secret.startswith("ent_")
    assert [("x", "", False)] == [(k.label, k.secret, k.revoked) for k in listed.keys]
    assert (200, 401) == (before, after)


async def test_key_in_quarantine_is_refused_until_it_is_cleared(pool: RunningScheduler) -> None:
    """Its requests get 403 and a stable code; the list says why, and clearing serves it again."""
    made = await pool.operator.ask("CreateKey", a.CreateKeyRequest(coop="alpha"))
    fields = {"name": made.key, "reason": "engines_ended", "detail": ""}
    pool.driver.feed(e.SenderQuarantined(*e.UNNUMBERED, kind=SenderKind.KEY, **fields))
    body = {"model": "model-x", "messages": [{"role": "user", "content": "x"}]}
    async with pool.session(made.secret) as session:
        async with session.post("/v1/chat/completions", json=body) as answer:
            refused = answer.status, (await answer.json())["error"]["code"]
        listed = await pool.operator.ask("ListKeys", a.ListKeysRequest(coop="alpha"))
        cleared = await pool.operator.ask("ClearKey", a.ClearKeyRequest(key=made.key))
        async with session.post("/v1/chat/completions", json=body) as answer:
            again = (await answer.json())["error"]["code"]
    unknown = await refusal(pool.operator.ask("ClearKey", a.ClearKeyRequest(key="no-such")))

    assert (403, "key_quarantined") == refused
    assert ["engines_ended"] == [key.quarantine.reason for key in listed.keys]
    assert (0.0, "unknown_model") == (cleared.quarantine.since, again)
    assert "unknown_key" == reason(unknown)


async def test_node_in_quarantine_is_ignored_until_it_is_approved(pool: RunningScheduler) -> None:
    """Its messages are counted, the operator sees why, and approval brings it back by itself."""
    node = await pool.join("n1")
    await node.send_hello()
    await eventually(lambda: pool.state("n1") == "live")
    fields = {"name": "n1", "reason": "event_raised", "detail": "joined"}
    pool.driver.feed(e.SenderQuarantined(*e.UNNUMBERED, kind=SenderKind.NODE, **fields))
    await node.send_heartbeat()
    await eventually(lambda: pool.driver.counts["node.quarantined"])
    shown = await pool.operator.node("n1")
    approved = await pool.operator.ask("ApproveNode", a.NodeRequest(node="n1"))
    await node.send_heartbeat()
    await eventually(lambda: node.received(m.HelloRequest))
    await node.send_hello()
    await eventually(lambda: pool.state("n1") == "live")

    assert ("event_raised", "joined") == (shown.quarantine.reason, shown.quarantine.detail)
    assert 0.0 == approved.quarantine.since


async def test_quarantine_of_a_node_ends_with_its_revocation(pool: RunningScheduler) -> None:
    """Nobody has to end it later, since its name never comes back."""
    await pool.join("n1")
    fields = {"name": "n1", "reason": "event_raised", "detail": "joined"}
    pool.driver.feed(e.SenderQuarantined(*e.UNNUMBERED, kind=SenderKind.NODE, **fields))
    await pool.operator.ask("RevokeNode", a.NodeRequest(node="n1"))

    assert [] == pool.driver.core.quarantines()


async def test_unknown_coop_gets_no_key_and_no_token(pool: RunningScheduler) -> None:
    """Keys and tokens are made for members only; the refusal lists them by both names."""
    await pool.operator.ask("SetCoop", a.Coop(coop="alpha", name="Les Abeilles", shares=1.0))
    key = await refusal(pool.operator.ask("CreateKey", a.CreateKeyRequest(coop="x")))
    token = await refusal(pool.operator.ask("CreateJoinToken", a.CreateJoinTokenRequest(coop="x")))

    assert ["unknown_coop"] * 2 == [reason(key), reason(token)]
    assert "Il y a\u00a0: Les Abeilles (alpha), beta." in (key.details() or "")


async def test_standard_health_and_reflection_answer(pool: RunningScheduler) -> None:
    """The standard services say that the pool serves, and which services it has."""
    check = health_pb2_grpc.HealthStub(pool.operator.channel).Check
    healthy = await check(health_pb2.HealthCheckRequest(service="entraide.v1.Pool"))
    reflect = reflection_pb2_grpc.ServerReflectionStub(pool.operator.channel)
    request = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    answers = [answer async for answer in reflect.ServerReflectionInfo(request)]
    names = {service.name for service in answers[0].list_services_response.service}

    assert health_pb2.HealthCheckResponse.SERVING == healthy.status
    assert {"entraide.v1.Pool", "entraide.v1.Admin", "entraide.v1.Enrolment"} <= names


@pytest.mark.parametrize(
    ("wished", "given"),
    [
        ("Mac mini d'Élise", "mac-mini-d-elise"),
        ("", "beta-node"),
        ("-- a.b>*", "a-b"),
        ("x" * 90, "x" * 48),
    ],
    ids=["accents", "none", "signs", "long"],
)
async def test_wished_name_becomes_an_identifier(
    pool: RunningScheduler, wished: str, given: str
) -> None:
    """Any wish leads to a name of a-z, 0-9 and '-'."""
    token = await pool.operator.token()
    joined = await pool.operator.join(token, new_user_key()[0], node_name=wished)

    assert given == joined.node


async def test_a_correction_counts_once_and_is_in_the_statement(pool: RunningScheduler) -> None:
    """A correction moves both balances, is refused a second time, and stands in both statements."""
    wanted = a.Correction(
        correction="c1", reason="meter", lender="alpha", borrower="beta", tokens=40, energy_wh=0.5
    )
    posted = await pool.operator.ask("PostCorrection", wanted)
    again = await refusal(pool.operator.ask("PostCorrection", wanted))
    coops = (await pool.operator.ask("ListCoops", a.ListCoopsRequest())).coops
    request = [a.GetStatementRequest(coop=coop) for coop in ("alpha", "beta")]
    statements = [await pool.operator.ask("GetStatement", correction) for correction in request]

    assert posted.posted_at > 0
    assert "already_exists" == reason(again)
    assert {"alpha": (40, 0.5), "beta": (-40, -0.5)} == {
        coop.coop: (coop.balance_tokens, coop.balance_wh)
        for coop in coops
        if coop.coop in ("alpha", "beta")
    }
    assert [("c1", "meter", "beta", 40, 0.5), ("c1", "meter", "alpha", -40, -0.5)] == [
        (
            correction.correction,
            correction.reason,
            correction.borrower,
            correction.tokens,
            correction.energy_wh,
        )
        for statement in statements
        for correction in statement.corrections
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"correction": ""},
        {"reason": ""},
        {"lender": "beta"},
        {"borrower": "nobody"},
        {"tokens": 0},
        {"energy_wh": float("nan")},
    ],
    ids=["name", "reason", "itself", "stranger", "nothing", "no number"],
)
async def test_a_correction_that_makes_no_sense_is_refused(
    pool: RunningScheduler, wrong: dict[str, object]
) -> None:
    """The books stay as they are, and the refusal names the field."""
    sound = {
        "correction": "c1", "reason": "meter", "lender": "alpha", "borrower": "beta", "tokens": 40
    }  # fmt: skip
    error = await refusal(pool.operator.ask("PostCorrection", a.Correction(**{**sound, **wrong})))
    balances = pool.driver.core.balances()

    assert "invalid_request" == reason(error)
    assert {} == balances


async def test_a_month_that_is_none_is_refused(pool: RunningScheduler) -> None:
    """A statement is asked for by month, written 2027-01."""
    request = a.GetStatementRequest(coop="alpha", month="January")

    assert "invalid_request" == reason(await refusal(pool.operator.ask("GetStatement", request)))


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("qwen3-8b", "entraide models pin qwen3-8b"),
        ("nosuch", "entraide models catalogue"),
    ],
)
async def test_a_model_that_no_machine_can_offer(
    pool: RunningScheduler, model: str, error: str
) -> None:
    """Placing says that a model is not pinned, or not in the catalogue, where that is why."""
    problem = await refusal(pool.operator.ask("PlaceModel", a.ModelOnNode(model=model)))

    assert "placement_refused" == reason(problem)
    assert error in problem.details()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("GetStatement", a.GetStatementRequest(coop="nosuch")),
        ("ListKeys", a.ListKeysRequest(coop="nosuch")),
        ("CreateKey", a.CreateKeyRequest(coop="nosuch")),
        ("CreateJoinToken", a.CreateJoinTokenRequest(coop="nosuch")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_coop_that_is_not_there(
    pool: RunningScheduler, method: str, message: Message
) -> None:
    """A name that no co-op bears is refused, and the sentence lists those that there are."""
    problem = await refusal(pool.operator.ask(method, message))

    assert "unknown_coop" == reason(problem)
    assert "alpha, beta" in problem.details()


async def test_what_a_coop_lends_stays_unless_it_is_told(pool: RunningScheduler) -> None:
    """Terms that say nothing of lending leave it as it was."""
    lend = a.Lend(part=0.5, limited=True, energy_wh_per_day=800)
    await pool.operator.ask("SetCoop", a.Coop(coop="alpha", shares=1.0, lend=lend))
    after = await pool.operator.ask("SetCoop", a.Coop(coop="alpha", shares=2.0))

    assert (0.5, True, 800) == (
        after.lend.part,
        after.lend.limited,
        after.lend.energy_wh_per_day,
    )

"""The operator is told once when a finding begins and once when it ends: real letters, requests."""

import asyncio
import base64
import hashlib
import hmac
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.cases import all_cases
from tests.integration.nats_support import NatsPool
from tests.scheduler.pool_support import RunningScheduler, running_scheduler
from tests.scheduler.test_signin_letters import Letters, config, mail_server

from entraide.errors import EntraideError
from entraide.v1 import admin_pb2
from entraide_scheduler.config import SmtpConfig, load_notify_config
from entraide_scheduler.findings import Finding, finding
from entraide_scheduler.notifications import Notifier, Pool, Reader, list_senders, send_trial
from entraide_scheduler.notifications.delivery import sign

KEY = bytes(range(32))
POOL = Pool("Parc du Nord", "https://parc.example.coop", "fr", "America/Toronto")
MAIL = '[[mail]]\nto = "op@example.coop"\n'


class Receiver:
    """A program that gets signed requests."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[Any] = []

    async def handle(self, request: web.Request) -> web.Response:
        body, names = await request.read(), request.headers
        signed = f"{names['webhook-id']}.{names['webhook-timestamp']}.".encode() + body
        digest = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
        assert f"v1,{digest}" == names["webhook-signature"]
        self.bodies.append(json.loads(body))
        return web.Response(status=self.status, headers={"location": str(request.url)})


def make_notifier(
    home: Path,
    smtp: SmtpConfig | None,
    present: list[Finding],
    now: float,
    *,
    coops: dict[str, str] | None = None,
    readers: list[Reader] | None = None,
) -> Notifier:
    """Returns a notifier as after a restart; without ``readers`` those cannot be read."""

    async def read_readers() -> list[Reader]:
        if readers is None:
            raise OSError("away")
        return readers

    return Notifier(
        home, smtp, pool=lambda: POOL, watched=lambda: present, coops=lambda: coops or {},
        read_readers=read_readers, now=lambda: now,
    )  # fmt: skip


async def test_begin_and_end_are_told_once_over_restarts_and_failures(tmp_path: Path) -> None:
    """A notifier that is replaced by a new one goes on from the disk; a redirect is a failure."""
    letters, receiver, now = Letters(), Receiver(), [1_000_000.0]
    present: list[Finding] = []
    app = web.Application()
    app.router.add_post("/secret-path", receiver.handle)
    async with mail_server(letters) as port, TestServer(app) as server:
        (tmp_path / "key").write_text("whsec_" + base64.b64encode(KEY).decode())
        hook = f'[[webhook]]\nurl = "{server.make_url("/secret-path")}"\nsecret_file = "key"\n'
        (tmp_path / "notify.toml").write_text(f'end_after_s = 60\n{MAIL}{hook}lang = "en"\n')

        async def step(after_s: float) -> Notifier:
            now[0] += after_s
            notifier = make_notifier(tmp_path, config(port), present, now[0])
            await notifier._step()
            return notifier

        await step(0)
        present.append(finding("node-waiting", node="n1", coop="alpha"))
        receiver.status = 307
        await step(5)
        await step(5)
        receiver.status = 200
        await step(60)
        await step(5)
        present.clear()
        await step(5)
        await step(5)
        await step(60)
        await step(5)
        letters.refuses = True
        present.append(finding("node-waiting", node="n2", coop="alpha"))
        for _ in range(3):
            failing = await step(3_600)
        present.clear()
        await step(5)
        letters.refuses = False
        await step(4_000)
        await step(4_000)

    texts = [letter.get_content() for letter in letters.received]
    assert 3 == len(texts)
    assert "n1" in texts[0]
    assert "entraide nodes approve n1" in texts[0]
    assert "C’est terminé" in texts[1]
    assert "Un autre problème" in texts[2]
    changes = [body["data"] for body in receiver.bodies]
    begun = [each["code"] for data in changes for each in data["begun"]]
    ended = [each["code"] for data in changes for each in data["ended"]]
    assert ["node-waiting"] * 3 == begun  # the first attempt met a redirect
    assert ["node-waiting"] * 2 == ended
    assert "asks to join" in changes[0]["begun"][0]["sentence"]
    (fault,) = failing.findings()
    assert ("notify-failing", "op@example.coop") == (fault.code, fault.values["recipients"])
    assert "secret-path" not in (tmp_path / "notify-state.json").read_text()


async def test_a_message_that_a_stop_interrupts_is_sent_again_as_it_was(tmp_path: Path) -> None:
    """What begins meanwhile comes in a message of its own: else the receiver could not tell that
    it has the first one."""
    arrived, identifiers, receiver = asyncio.Event(), [], Receiver()

    async def handle(request: web.Request) -> web.Response:
        identifiers.append(request.headers["webhook-id"])
        answer = await receiver.handle(request)
        arrived.set()
        if len(identifiers) == 1:
            await asyncio.Event().wait()
        return answer

    app = web.Application()
    app.router.add_post("/", handle)
    async with TestServer(app) as server:
        (tmp_path / "key").write_text(base64.b64encode(KEY).decode())
        hook = f'[[webhook]]\nurl = "{server.make_url("/")}"\nsecret_file = "key"\n'
        (tmp_path / "notify.toml").write_text(hook)
        present = [finding("node-waiting", node="n1", coop="alpha")]
        step = asyncio.create_task(make_notifier(tmp_path, None, present, 1_000_000.0)._step())
        await arrived.wait()
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
        present.append(finding("node-waiting", node="n2", coop="alpha"))
        for after_s in (5.0, 10.0, 15.0):
            await make_notifier(tmp_path, None, present, 1_000_000.0 + after_s)._step()

    nodes = [[each["values"]["node"] for each in body["data"]["begun"]] for body in receiver.bodies]
    assert [["n1"], ["n1"], ["n2"]] == nodes
    assert identifiers[0] == identifiers[1] != identifiers[2]


async def test_more_than_so_many_messages_an_hour_are_counted(tmp_path: Path) -> None:
    """What begins and ends while the hour is full is counted in the next message; no more come."""
    letters, now = Letters(), [1_000_000.0]
    present: list[Finding] = []
    (tmp_path / "notify.toml").write_text(f"per_hour = 1\nend_after_s = 60\n{MAIL}")
    async with mail_server(letters) as port:

        async def step(*nodes: str, after_s: float = 70.0) -> int:
            now[0] += after_s
            present[:] = [finding("node-waiting", node=node, coop="alpha") for node in nodes]
            await make_notifier(tmp_path, config(port), present, now[0])._step()
            return len(letters.received)

        within = [await step("n1"), await step("n1", "n2"), await step("n1"), await step("n1")]
        full = await step("n1", "n3")
        later = await step("n1", "n3", after_s=3_600.0)

    text = letters.received[1].get_content()
    assert ([1] * 4, 1, 2) == (within, full, later)
    assert ("n3" in text, "n2" in text) == (True, False)
    assert "Un autre problème" in text


async def test_a_trial_says_who_was_reached(tmp_path: Path) -> None:
    """One letter arrives; a webhook that does not answer is named by its host only."""
    letters = Letters()
    (tmp_path / "key").write_text(base64.b64encode(KEY).decode())
    hook = '[[webhook]]\nurl = "http://127.0.0.1:1/secret-path"\nsecret_file = "key"\n'
    (tmp_path / "notify.toml").write_text(MAIL + hook)
    async with mail_server(letters) as port:
        smtp = config(port)
        loaded = load_notify_config(tmp_path, smtp)
        assert loaded is not None
        trials = await send_trial(list_senders(loaded, smtp, tmp_path, POOL))

    assert ["op@example.coop", "127.0.0.1:1"] == [each.recipient for each in trials]
    assert [False, True] == [bool(each.problem) for each in trials]
    assert "secret-path" not in trials[1].problem
    assert 1 == len(letters.received)


async def test_the_operators_page_sends_a_trial_and_says_what_is_wrong(
    pool: RunningScheduler, tmp_path: Path
) -> None:
    """A program that answers is reached, and one that does not is named; a fault of the file is
    told in the caller's language; without the file nobody is told."""
    ask = partial(pool.operator.ask, "SendTestMessages", admin_pb2.SendTestMessagesRequest())
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/", receiver.handle)
    nobody = await ask()
    (tmp_path / "key").write_text(base64.b64encode(KEY).decode())
    async with TestServer(app) as server:
        (tmp_path / "notify.toml").write_text(
            "".join(
                f'[[webhook]]\nurl = "{url}"\nsecret_file = "key"\n'
                for url in (server.make_url("/"), "http://127.0.0.1:1/")
            )
        )
        tried = await ask()
    (tmp_path / "notify.toml").write_text("per_hour = 0\n")
    faults = [(await ask(lang=lang)).fault for lang in ("fr", "en")]

    assert ([], "") == ([*nobody.messages], nobody.fault)
    assert [False, True] == [bool(each.problem) for each in tried.messages]
    assert "127.0.0.1:1" == tried.messages[1].recipient
    assert ["entraide.test"] == [body["type"] for body in receiver.bodies]
    assert all("notify.toml" in fault for fault in faults)
    assert 2 == len({*faults})


def test_a_request_is_signed_as_the_standards_library_signs_it() -> None:
    """The expected signature is of ``standardwebhooks`` 1.1.0."""
    sealed = sign(KEY, "msg-1", 1_700_000_000, '{"type":"entraide.test","word":"été"}'.encode())

    assert "v1,PbsbH5t3ooCC0U1lavWRHtoIdF8yAbh5hCqgjc5lbxQ=" == sealed.signature


@all_cases(
    ("text", "fault"),
    [
        ("per_hour = 0", "per_hour"),
        ('[[mail]]\nto = "nobody"', "no_mail_address"),
        (MAIL, "no_mail_server"),
        ('[[webhook]]\nurl = "http://x.coop"\nsecret_file = "key"', "webhook_url"),
        ('[[webhook]]\nurl = "https://x.coop"\nsecret_file = "none"', "unreadable"),
        ('[[webhook]]\nurl = "https://x.coop"\nsecret_file = "short"', "webhook_secret"),
    ],
)
def test_a_wrong_setting_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    """The error names the setting; an unknown key is an error, too."""
    (tmp_path / "key").write_text(base64.b64encode(KEY).decode())
    (tmp_path / "short").write_text("whsec_abcd")
    (tmp_path / "notify.toml").write_text(text)
    with pytest.raises(EntraideError) as refused:
        load_notify_config(tmp_path, None)

    assert fault == refused.value.values["fault"]


async def test_the_first_look_comes_when_the_gateway_listens(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, bus: NatsPool
) -> None:
    """A message names the gateway's address, which is not known before: a start logs no failure."""
    async with running_scheduler(tmp_path, bus):
        pass

    assert "notify." not in capsys.readouterr().out

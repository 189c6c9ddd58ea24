"""A pool's life on a real bus, and a small model of who may be whom in it.

Machines join, join again, are revoked and forgotten; the pool is backed up, crashes and is restored
from any of its backups, on a new bus with the same keys; whoever has an identity uses it again.
After each step the pool's record, its fleet and what the machines received agree with the model.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from time import time
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from msgspec import Struct
from nats.errors import Error as NatsError
from tests.core.builders import MODEL
from tests.integration.nats_support import NatsPool, running_pool
from tests.scheduler.pool_support import RunningScheduler, ScriptedNode, running_scheduler
from tests.waiting import eventually

from entraide.errors import AuthenticationError
from entraide.files import write_private
from entraide.v1 import admin_pb2
from entraide.wire import messages as m
from entraide.wire import subjects
from entraide.wire.nats import Identity, new_user_key
from entraide_scheduler.nodes import APPROVED, REVOKED
from entraide_scheduler.pool.backup import write_backup
from entraide_scheduler.pool.config import FILE, PoolConfig
from entraide_scheduler.pool.create import format_config
from entraide_scheduler.pool.restore import restore_pool
from entraide_scheduler.restored import read_mark

COOPS = ("alpha", "beta")
WISH = "Mac mini"
PASSPHRASE = "quatre mots bien choisis"
KEY_REVOKED, RECORD_GONE = "node_key_revoked", "node_record_gone"


class Machine:
    """A machine with the identity that it was given last."""

    def __init__(self, coop: str, identity: Identity, key: str, name: str) -> None:
        self.coop, self.identity, self.key, self.name = coop, identity, key, name
        self.node: ScriptedNode | None = None


class Known(Struct, frozen=True):
    """What the present pool knows by the model; a backup keeps one.

    Attributes:
        approvals: of each key that has a record.
        named: the keys of all nodes that joined, also of forgotten ones.
    """

    approvals: dict[str, str]
    named: frozenset[str]


class PoolLife:
    """A pool, its machines and the model; each public method that takes nothing is a step.

    Args:
        folder: for the pool's directories and backups.
        random: makes each choice.
    """

    def __init__(self, folder: Path, random: Random) -> None:
        self._folder, self._random = folder, random
        self._running = contextlib.AsyncExitStack()
        self.machines: list[Machine] = []
        self._known = Known({}, frozenset())
        self._names: dict[str, str] = {}  # every name ever given, and its key: in lost times too
        self._used: list[str] = []  # every token that ever let a machine in
        self._open: list[tuple[str, int]] = []  # unused tokens, and in which restore's time made
        self._backups: list[tuple[Path, Known]] = []
        self._restores = 0
        self._restored_s = 0
        self._api_keys: dict[str, str] = {}
        self.pool: RunningScheduler  # from ``start`` on
        self._bus: NatsPool

    async def start(self) -> None:
        """Founds the pool, with a first backup."""
        await self._run(self._folder / "0")
        self._api_keys = {coop: await self.pool.operator.key(coop) for coop in COOPS}
        await self.back_up()

    async def close(self) -> None:
        """Ends every process and connection."""
        await self._running.aclose()

    async def _run(self, state: Path) -> None:
        self._bus = await self._running.enter_async_context(running_pool(state))
        config = PoolConfig(name="Parc d’essai", address="localhost")
        write_private(state / FILE, format_config(config).encode())
        running = running_scheduler(state, self._bus)
        self.pool = await self._running.enter_async_context(running)

    # Steps.

    async def join(self) -> None:
        """A new machine joins with a new invitation, and wishes the name that all wish."""
        await self.join_of(self._random.choice(COOPS))

    async def join_of(self, coop: str, token: str = "") -> Machine:
        """A new machine of a co-op joins, by default with a new invitation."""
        token = token or await self.pool.operator.token(coop)
        seed, key = new_user_key()
        joined = await self.pool.operator.join(token, seed, node_name=WISH)
        given_to = self._names.setdefault(joined.node, key)
        assert key == given_to, f"{joined.node} was given to two keys"
        self._used.append(token)
        machine = Machine(
            coop, Identity(joined.jwt, seed, subjects.node_inbox(key)), key, joined.node
        )
        self.machines.append(machine)
        self._know(key, APPROVED)
        await self._come(machine)
        return machine

    async def join_again(self) -> None:
        """A machine of the pool joins again and wishes another name: it keeps the one it has."""
        for machine in self._some(self._is_approved):
            token = await self.pool.operator.token(machine.coop)
            joined = await self.pool.operator.join(
                token, machine.identity.seed, node_name="autre nom"
            )
            self._used.append(token)

            assert machine.name == joined.node

    async def invite(self) -> None:
        """The operator makes an invitation that is used later, or never."""
        self._open.append((await self.pool.operator.token("alpha"), self._restores))

    async def use_invitation(self) -> None:
        """An invitation of before is used: it lets a machine in if the pool was not restored."""
        if not self._open:
            return
        token, restores = self._open.pop(self._random.randrange(len(self._open)))
        if restores == self._restores:
            await self.join_of("alpha", token)
        else:
            await self._expect_no_join(token)

    async def use_again(self) -> None:
        """A used invitation, of any time, lets no other machine in."""
        if self._used:
            await self._expect_no_join(self._random.choice(self._used))

    async def back_up(self) -> None:
        """The pool is backed up."""
        file = self._folder / f"{len(self._backups)}.backup"
        await asyncio.to_thread(write_backup, self.pool.home, file, PASSPHRASE)
        self._backups.append((file, self._known))

    async def restore(self) -> None:
        """The pool is destroyed and restored from one of its backups; machines come back."""
        await self._restore(*self._random.choice(self._backups))

    async def restore_newest(self) -> None:
        """The same, from its newest backup."""
        await self._restore(*self._backups[-1])

    async def _restore(self, file: Path, known: Known) -> None:
        was_live = [machine for machine in self.machines if machine.node is not None]
        await self._running.aclose()
        # Two restores of one pool are never of the same second.
        await eventually(lambda: int(time()) > self._restored_s)
        self._restores, self._known = self._restores + 1, known
        state = self._folder / str(self._restores)
        await asyncio.to_thread(restore_pool, file, state, PASSPHRASE)
        self._restored_s = int(read_mark(state).at)
        await self._run(state)
        for machine in was_live:
            machine.node = None
            await (self._come if self._is_approved(machine) else self._expect_cut)(machine)

    async def revoke(self) -> None:
        """The operator revokes a machine."""
        for machine in self._some(self._is_approved):
            await self.revoke_machine(machine)

    async def revoke_machine(self, machine: Machine) -> None:
        """The operator revokes this machine, by its name or by its key."""
        named = self._random.choice((machine.name, machine.key))
        await self.pool.operator.ask("RevokeNode", admin_pb2.NodeRequest(node=named))
        await self._be_revoked(machine)

    async def forget(self) -> None:
        """The operator revokes a machine and deletes its record."""
        for machine in self._some(lambda each: each.key in self._known.approvals):
            await self.forget_machine(machine)

    async def forget_machine(self, machine: Machine) -> None:
        """The operator revokes this machine and deletes its record."""
        request = admin_pb2.NodeRequest(node=machine.name)
        await self.pool.operator.ask("RevokeNode", request)
        await self.pool.operator.ask("ForgetNode", request)
        await self._be_revoked(machine)
        approvals = dict(self._known.approvals)
        del approvals[machine.key]
        self._known = Known(approvals, self._known.named)

    async def revoke_unrecorded(self) -> None:
        """The operator revokes a key of which the pool has no record."""
        for machine in self._some(lambda each: each.key not in self._known.approvals):
            request = admin_pb2.NodeRequest(node=machine.key)
            await self.pool.operator.ask("RevokeNode", request)
            await self._expect_cut(machine)

    async def replay(self) -> None:
        """Somebody uses an old identity again."""
        for machine in self._some(lambda each: not self._is_approved(each)):
            await self._expect_cut(machine)

    async def ask(self) -> None:
        """Each co-op with a live machine asks a restricted question: its own machine answers."""
        for coop in COOPS:
            own = [each for each in self.machines if each.coop == coop and each.node is not None]
            if own:
                await self._ask(coop, {each.key: each for each in own})

    # What holds after each step.

    def check(self) -> None:
        """Compares the record and the fleet with the model."""
        rows = self.pool.registry.list_nodes()
        expected = {
            (self._name_of(key), key, state) for key, state in self._known.approvals.items()
        }

        assert expected == {(row.node, row.public_key, row.approval) for row in rows}
        for view in self.pool.driver.core.nodes():
            assert view.card.node in {row.node for row in rows}, "a forgotten machine is shown"
            if view.state.value in ("live", "suspect"):
                assert view.card.node_key == self._names[view.card.node]
                assert self._known.approvals[view.card.node_key] == APPROVED
        for machine in self.machines:
            assert machine.node is None or not machine.node.runs, "a run that nobody asked for"

    # Helpers.

    def _name_of(self, key: str) -> str:
        return next(name for name, given_to in self._names.items() if given_to == key)

    def _is_approved(self, machine: Machine) -> bool:
        return self._known.approvals.get(machine.key) == APPROVED

    def _some(self, choose: Callable[[Machine], bool]) -> list[Machine]:
        """One of the machines of a kind, or none if there is none."""
        chosen = [machine for machine in self.machines if choose(machine)]
        return [self._random.choice(chosen)] if chosen else []

    def _know(self, key: str, approval: str) -> None:
        approvals = {**self._known.approvals, key: approval}
        self._known = Known(approvals, self._known.named | {key})

    async def _come(self, machine: Machine) -> None:
        """A machine of the pool connects, says hello and is live."""
        node = await self.pool.enter(machine.name, machine.identity, [self._bus.url])
        machine.node = node
        await self._say_hello(node)

    async def _say_hello(self, node: ScriptedNode) -> None:
        before = len(node.received(m.Welcome))
        await node.send_hello()
        await eventually(lambda: len(node.received(m.Welcome)) > before)

        assert "live" == self.pool.state(node.name)

    async def _be_revoked(self, machine: Machine) -> None:
        node, machine.node = machine.node, None
        self._know(machine.key, REVOKED)
        await eventually(lambda: node is None or not node.connection.is_connected)
        await self._expect_cut(machine)

    async def _expect_cut(self, machine: Machine) -> None:
        """An identity that counts no more is refused, at once or after its connection is cut.

        It says hello under a live machine's name, which has no effect on that one either.
        """
        live = [each.node for each in self.machines if each.node is not None]
        welcomes = [len(node.received(m.Welcome)) for node in live]
        name = self._random.choice(live).name if live else machine.name
        with contextlib.suppress(AuthenticationError, NatsError):
            node = await self.pool.enter(name, machine.identity, [self._bus.url])
            await node.send_hello()
            await eventually(lambda: not node.connection.is_connected)

            assert not node.control_messages
            assert not node.runs
        assert self._bus.identity.is_revoked(machine.key)
        is_named = machine.key in self._known.named
        code = await self._refusal("", machine.identity.seed)

        assert (KEY_REVOKED if is_named else RECORD_GONE) == code
        assert welcomes == [len(node.received(m.Welcome)) for node in live]

    async def _expect_no_join(self, token: str) -> None:
        """A token lets no new machine in."""
        assert "join_token_refused" == await self._refusal(token, new_user_key()[0])

    async def _refusal(self, token: str, seed: str) -> str:
        """The code with which joining is refused."""
        try:
            await self.pool.operator.join(token, seed)
        except grpc.aio.AioRpcError as problem:
            status = rpc_status.from_call(problem)
            info = error_details_pb2.ErrorInfo()
            for detail in status.details if status is not None else ():
                if detail.Unpack(info):
                    return str(info.reason)
        return ""

    async def _ask(self, coop: str, own: dict[str, Machine]) -> None:
        for machine in own.values():
            assert machine.node is not None
            await self._say_hello(machine.node)  # the pool may have lost it meanwhile
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Bonjour"}]}
        headers = {"x-entraide-data-class": "restricted"}
        async with self.pool.session(self._api_keys[coop]) as session:
            request = session.post("/v1/chat/completions", json=body, headers=headers)
            pending = asyncio.ensure_future(request)
            await eventually(lambda: pending.done() or self._runs())
            ((key, node),) = self._runs()
            await node.finish(node.runs.pop())
            receipt = (await (await pending).json())["entraide"]

        assert key in own, f"a restricted question of {coop} ran elsewhere"
        assert (key, own[key].name) == (receipt["node_key"], receipt["node"])

    def _runs(self) -> list[tuple[str, ScriptedNode]]:
        """The machines that have a run, by key."""
        nodes = [(machine.key, machine.node) for machine in self.machines]
        return [(key, node) for key, node in nodes if node is not None and node.runs]


Step = Callable[[PoolLife], Awaitable[Any]]
STEPS: tuple[tuple[Step, int], ...] = (  # and how often each, in proportion
    (PoolLife.join, 5),
    (PoolLife.join_again, 2),
    (PoolLife.invite, 2),
    (PoolLife.use_invitation, 3),
    (PoolLife.use_again, 2),
    (PoolLife.back_up, 2),
    (PoolLife.restore, 3),
    (PoolLife.revoke, 2),
    (PoolLife.forget, 2),
    (PoolLife.revoke_unrecorded, 1),
    (PoolLife.replay, 3),
    (PoolLife.ask, 3),
)

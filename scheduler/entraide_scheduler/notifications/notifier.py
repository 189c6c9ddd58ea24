"""Notifier: tells of findings while the pool runs, and goes on after a restart where it was.

In: what the running scheduler and, once an hour, the doctor find; ``notify.toml`` and who at the
co-ops wants letters, which are read before each step, so that a change needs no restart. Out:
messages. Each is on disk before it is sent, and so is its delivery before the next one: one whose
delivery is known is never sent again. If the process is killed between a delivery and the note of
it, the same message is sent again under the same identifier.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import structlog
from msgspec import structs

from entraide.decoding import decode_json
from entraide.errors import EntraideError
from entraide.files import write_private
from entraide_scheduler.config import NotifyConfig, SmtpConfig, load_notify_config
from entraide_scheduler.findings import KINDS, WATCHED, Finding, Severity, finding, listed
from entraide_scheduler.notifications import plan
from entraide_scheduler.notifications.delivery import DeliveryFailed, MessageSender, list_senders
from entraide_scheduler.notifications.lenders import Reader, split_by_coop
from entraide_scheduler.notifications.plan import Audience, NotifyState, Recipient
from entraide_scheduler.notifications.text import Pool
from entraide_scheduler.notifications.trial import DeliveryTrial, send_trial
from entraide_scheduler.operations.doctor_run import DoctorRun
from entraide_scheduler.repeated_task import RepeatedTask

STATE_FILE = "notify-state.json"
STEP_S = 5.0
READ_S = 5.0  # for the readers
AT_ONCE_MAX = 8  # messages on their way
INSPECT_FIRST_S, INSPECT_S = 60.0, 3_600.0
FAILED_RUN = "doctor-failed"
IS_WATCHED = {kind.code for kind in WATCHED}


class Notifier:
    """Tells the recipients of ``notify.toml``.

    Args:
        home: the pool's directory.
        smtp: the pool's mail server.
        pool: returns facts about the pool.
        watched: returns what the running scheduler finds.
        coops: returns the co-op of each machine, by the pool's record.
        read_readers: reads who wants letters about a co-op's machines.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        home: Path,
        smtp: SmtpConfig | None,
        *,
        pool: Callable[[], Pool],
        watched: Callable[[], Sequence[Finding]],
        coops: Callable[[], Mapping[str, str]],
        read_readers: Callable[[], Awaitable[Sequence[Reader]]],
        now: Callable[[], float],
    ) -> None:
        self._home = home
        self._smtp = smtp
        self._pool = pool
        self._watched = watched
        self._coops = coops
        self._read_readers = read_readers
        self._readers: Sequence[Reader] | None = None  # not read yet
        self._now = now
        self._config = NotifyConfig()
        self._problem: EntraideError | None = None
        self._labels: dict[str, str] = {}
        self._doctor = DoctorRun(home)
        self._inspected: list[Finding] | None = None
        self._inspect_at = now() + INSPECT_FIRST_S
        self._state = self._read_state()
        self._log = structlog.get_logger("entraide.notifications")
        self._task = RepeatedTask(
            "notifier", self._step, every_s=STEP_S,
            failed=lambda: self._log.exception("notify.failed"),
        )  # fmt: skip

    def start(self) -> None:
        """Starts to tell."""
        self._task.start()

    async def stop(self) -> None:
        """Ends it; what is on its way is sent again after the next start."""
        await self._task.stop()

    async def send_trial(self) -> list[DeliveryTrial]:
        """Sends a test message to each recipient of ``notify.toml``.

        Raises:
            EntraideError: the file has a fault.
        """
        config = load_notify_config(self._home, self._smtp) or NotifyConfig()
        return await send_trial(list_senders(config, self._smtp, self._home, self._pool()))

    def findings(self) -> list[Finding]:
        """Returns what keeps recipients from being told."""
        faults = []
        failing = {
            self._labels[name]: known
            for name, known in self._state.recipients.items()
            if name in self._labels and known.failures >= plan.FAILING_AFTER
        }
        if failing:
            since = min(known.failed_at for known in failing.values())
            words = {
                "recipients": listed(sorted(failing)),
                "problem": next(iter(failing.values())).problem,
                "path": str(self._home),
            }
            faults.append(structs.replace(finding("notify-failing", **words), since=since))
        return faults

    async def _step(self) -> None:
        self._load_config()
        await self._load_readers()
        config, readers = self._config, self._readers or ()
        senders = list_senders(config, self._smtp, self._home, self._pool(), readers)
        if not senders and not self._state.recipients:
            return
        self._labels = {sender.name: sender.label for sender in senders}
        if any(not sender.audience.coop for sender in senders):
            await self._inspect()
        audiences = {sender.name: sender.audience for sender in senders}
        if self._readers is None:  # those whom the state has stay in it
            audiences |= {
                name: Audience(Severity.WARN, known.coop)
                for name, known in self._state.recipients.items()
                if known.coop
            }
        wanted = {audience.coop for audience in audiences.values()} - {""}
        self._put(
            plan.follow(
                self._state, self._list_found(), self._now(), end_after_s=config.end_after_s,
                audiences=audiences, of_coops=split_by_coop(self._watched(), self._coops(), wanted),
            )
        )  # fmt: skip
        limit = asyncio.Semaphore(AT_ONCE_MAX)

        async def tell(sender: MessageSender) -> None:
            async with limit:
                await self._tell(sender, config.per_hour)

        await asyncio.gather(*map(tell, senders))

    async def _load_readers(self) -> None:
        """Reads who wants letters; without the store, those who were read last get them."""
        if self._smtp is None:
            self._readers = ()
            return
        try:
            async with asyncio.timeout(READ_S):
                self._readers = await self._read_readers()
        except Exception as problem:  # noqa: BLE001  (the operator must be told of the store)
            self._log.warning("notify.readers_unread", problem=type(problem).__name__)

    def _load_config(self) -> None:
        """Reads the file; one with a fault leaves the last good settings in use."""
        try:
            self._config = load_notify_config(self._home, self._smtp) or NotifyConfig()
        except EntraideError as problem:
            if self._problem is None:
                self._log.warning("notify.unusable", problem=str(problem))
            self._problem = problem
        else:
            self._problem = None

    async def _inspect(self) -> None:
        """Runs the doctor, once an hour."""
        if self._now() < self._inspect_at:
            return
        self._inspect_at = self._now() + INSPECT_S
        inspected = await self._doctor.inspect(self._pool().lang)
        reported = [
            Finding(each.code, each.since, each.values, each.problem)
            for each in inspected.findings
            if each.code in KINDS and not each.watched
        ]
        if any(each.code == FAILED_RUN for each in reported):  # then it says nothing of the rest
            reported += [each for each in self._inspected or () if each.code != FAILED_RUN]
        self._inspected = reported

    def _list_found(self) -> list[Finding]:
        watched = [*self._watched()]
        if self._inspected is not None:
            inspected = self._inspected
        else:  # what the doctor found before the restart, until it runs again
            followed = self._state.followed.values()
            inspected = [each.finding for each in followed if not each.gone_at]
            inspected = [each for each in inspected if each.code not in IS_WATCHED]
        present = {each.code for each in watched}
        return [*watched, *(each for each in inspected if each.code not in present | IS_WATCHED)]

    async def _tell(self, sender: MessageSender, per_hour: int) -> None:
        known = self._state.recipients[sender.name]
        changes = known.pending or plan.find_changes(
            self._state, sender.name, sender.audience, self._now(), per_hour=per_hour
        )
        if not changes:
            return
        known = self._note(sender, structs.replace(known, pending=changes))
        try:
            await sender.send(changes, plan.identify(sender.name, known, changes))
        except DeliveryFailed as problem:
            self._log.warning("notify.not_sent", recipient=sender.label, problem=str(problem))
            self._note(sender, plan.note_failed(known, str(problem), self._now()))
        else:
            self._note(sender, plan.note_sent(known, changes, self._now()))

    def _note(self, sender: MessageSender, known: Recipient) -> Recipient:
        recipients = {**self._state.recipients, sender.name: known}
        self._put(structs.replace(self._state, recipients=recipients))
        return known

    def _put(self, state: NotifyState) -> None:
        is_same = _what_must_last(state) == _what_must_last(self._state)
        self._state = state
        if not is_same:
            try:
                write_private(self._home / STATE_FILE, msgspec.json.encode(state))
            except OSError as problem:  # a full disk is what people must be told of
                self._log.warning("notify.not_noted", problem=str(problem))

    def _read_state(self) -> NotifyState:
        try:
            return decode_json((self._home / STATE_FILE).read_bytes(), type=NotifyState)
        except (OSError, msgspec.MsgspecError):
            return NotifyState()


def _what_must_last(state: NotifyState) -> object:
    """Returns what a restart must find: all but the values of findings, which change often."""
    followed = {key: (each.first_at, each.gone_at) for key, each in state.followed.items()}
    return followed, state.recipients

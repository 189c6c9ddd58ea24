"""A profile function that notes the first call of each function of ours, and its callers."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import CodeType, FrameType
from typing import NamedTuple

import msgspec
from nats.aio.msg import Msg

from entraide.wire import codec
from entraide.wire.messages import CatalogueReply, CatalogueRequest, Heartbeat, Hello, Welcome
from entraide_node.agent import Agent
from entraide_node.energy.power_sampler import PowerSampler
from entraide_node.energy.site_meters import SiteMeters
from entraide_node.model_manager.catalogue_source import CatalogueSource
from entraide_node.model_manager.engine_manager import EngineManager
from entraide_node.owner.policy_driver import PolicyDriver
from entraide_scheduler.bus import TermClaims
from entraide_scheduler.driver.term import renew_term
from entraide_scheduler.repeated_task import RepeatedTask

# What happens whether or not there is a request.
MESSAGES = (CatalogueReply, CatalogueRequest, Heartbeat, Hello, Welcome)
LOOPS = frozenset(
    loop.__code__
    for loop in (
        Agent._heartbeat_loop, CatalogueSource.run, EngineManager._decide_loop,
        EngineManager._probe, EngineManager._probe_loop, PolicyDriver.run, PowerSampler.run,
        RepeatedTask._run, SiteMeters.run, TermClaims._on_claim, TermClaims._send_claims,
        renew_term,
    )
)  # fmt: skip


class Call(NamedTuple):
    """The first call of a function.

    Attributes:
        module: import name of the function's module.
        function: its qualified name in the module.
        callers: module and function of the calls that it is inside of, the nearest first.
        thread: in which it runs.
    """

    module: str
    function: str
    callers: tuple[tuple[str, str], ...]
    thread: int


class CallTracer:
    """Traces the thread that installs it, and the threads that start later."""

    def __init__(self) -> None:
        self._calls: dict[CodeType, Call] | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Is the profile function of this thread and of those that start later."""
        threading.setprofile(self._on_event)
        sys.setprofile(self._on_event)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def start(self) -> None:
        """Begins to note first calls."""
        self._calls = {}

    def stop(self) -> list[Call]:
        """Ends, and returns the first calls in order."""
        calls, self._calls = self._calls, None
        return list((calls or {}).values())

    def _on_event(self, frame: FrameType, event: str, _: object) -> None:
        calls = self._calls
        if event != "call" or calls is None or frame.f_code in calls or not _is_ours(frame):
            return
        stack = list(_frames(frame))
        if not any(map(_is_background, stack)):
            (module, function), *callers = map(_name, filter(_is_ours, stack))
            calls[frame.f_code] = Call(module, function, tuple(callers), threading.get_ident())


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_ours(frame: FrameType) -> bool:
    """Whether a frame runs a named function of a shipped package."""
    is_named = not frame.f_code.co_name.startswith("<")
    return is_named and frame.f_globals.get("__name__", "").startswith("entraide")


def _name(frame: FrameType) -> tuple[str, str]:
    return frame.f_globals["__name__"], frame.f_code.co_qualname


def _is_background(frame: FrameType) -> bool:
    """Whether a frame would run without a request: it is a loop, or it has such a message."""
    return frame.f_code in LOOPS or any(map(_is_background_message, frame.f_locals.values()))


def _is_background_message(value: object) -> bool:
    """Whether a value is one of ``MESSAGES``, encoded or not."""
    if not isinstance(value, Msg):
        return isinstance(value, MESSAGES)
    for decoder in (codec.node_up, codec.node_down_ctl):
        with suppress(msgspec.DecodeError):
            return isinstance(decoder.decode(value.data), MESSAGES)
    return False

"""Process pool: worker processes of this machine, each with a pipe of its own.

Sends the next item to the first idle worker. It has no threads and no shared locks, so it can be
terminated at any moment. If a worker dies, the whole pool fails.
"""

import signal
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

TERMINATE_TIMEOUT_S = 2.0


class ProcessPool:
    """A fixed number of worker processes.

    Args of the constructor:
        work: function of one item; importable, because workers are spawned.
        count: number of workers.
    """

    def __init__(self, work: Callable[[Any], Any], count: int) -> None:
        # Not forked: a fork of a process that shows a progress bar may hang.
        context = get_context("spawn")
        self._processes: list[BaseProcess] = []
        self._pipes: list[Connection] = []
        # Workers ignore Ctrl-C: the parent handles it, and terminates them.
        previous_handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for _ in range(count):
                parent_end, child_end = context.Pipe()
                process = context.Process(target=_work_loop, args=(work, child_end), daemon=True)
                process.start()
                child_end.close()
                self._processes.append(process)
                self._pipes.append(parent_end)
        finally:
            signal.signal(signal.SIGINT, previous_handler)

    def map_unordered(self, parcels: Mapping[int, Any]) -> Iterator[tuple[int, Any]]:
        """Applies the function to all items; yields each answer with its number as it arrives.

        Raises:
            ChildProcessError: a worker died.
        """
        remaining = iter(parcels.items())
        busy: dict[Connection, int] = {}
        for free in self._pipes:
            self._send_next(free, remaining, busy)
        while busy:
            ready: list[Any] = wait(list(busy))
            for link in ready:
                number = busy.pop(link)
                try:
                    answer, problem = link.recv()
                except (EOFError, OSError):
                    raise ChildProcessError("a process of the simulation died") from None
                if problem is not None:
                    raise problem
                self._send_next(link, remaining, busy)
                yield number, answer

    def terminate(self) -> None:
        """Terminates all workers."""
        for link in self._pipes:
            link.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(TERMINATE_TIMEOUT_S)
            if process.is_alive():
                process.kill()
                process.join()

    @staticmethod
    def _send_next(
        link: Connection, remaining: Iterator[tuple[int, Any]], busy: dict[Connection, int]
    ) -> None:
        following = next(remaining, None)
        if following is not None:
            busy[link] = following[0]
            link.send(following[1])


def _work_loop(work: Callable[[Any], Any], link: Connection) -> None:
    """Answers items until the other end of the pipe is closed."""
    while True:
        try:
            parcel = link.recv()
        except EOFError:
            return
        try:
            link.send((work(parcel), None))
        except Exception as problem:  # noqa: BLE001 - the parent raises it
            link.send((None, problem))

"""What every test gets: that no process outlives the run, and that the data it reads is there."""

import gc
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytest_plugins = ["tests.fuzzing", "tests.shares", "tests.store_template"]

MARK = "ENTRAIDE_TEST_RUN"
RATES = "ENTRAIDE_RATES"
RATES_OF_RUN = "ENTRAIDE_TEST_RATES"
SHARED_DATA = Path(__file__).resolve().parent.parent.parent / "shared/data"

# The marks of all tests of a file.
FILE_MARKS = re.compile(r"^pytestmark = (?:pytest\.\S+|\[[^\]]*\])", re.MULTILINE)

# Python's own helpers, which end with the interpreter.
NOT_OURS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the folder of this run's measured rates, once for all its workers."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="entraide-rates-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ[RATES_OF_RUN] = str(Path(folder) / "rates.json")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out a file, without importing it, where ``-m`` leaves out all of its tests."""
    if collection_path.suffix != ".py" or not config.option.markexpr:
        return None
    return is_left_out(collection_path.read_text("utf-8"), config.option.markexpr) or None


def is_left_out(source: str, expression: str) -> bool:
    """Whether an expression of markers, for instance ``not engines``, leaves out a whole file."""
    marks = FILE_MARKS.search(source)
    if marks is None or re.search(r"[()]|\bor\b", expression):
        return False
    left_out = re.findall(r"\bnot (\w+)", expression)
    return any(re.search(rf"mark\.{name}\b", marks[0]) for name in left_out)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Hides what collecting makes from the garbage collector: it lives as long as the process."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Lets the nodes of all tests with real engines share the rates that the first one measured."""
    os.environ.pop(RATES, None)
    if item.get_closest_marker("engines"):
        os.environ[RATES] = os.environ[RATES_OF_RUN]


def marked(run: str) -> list[psutil.Process]:
    """The processes that inherited this run's mark, orphans too, this one left out."""
    processes = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get(MARK) == run and process.pid != os.getpid()
            if ours and not any(name in " ".join(process.cmdline()) for name in NOT_OURS):
                processes.append(process)
        except psutil.Error:
            continue
    return processes


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what this machine has not got: published series, or a program of the system.

    Tests of the shared browser run in the event loop of the session, in which it lives.
    """
    without = {item for item in items if _lacks(item)}
    if without:
        items[:] = [item for item in items if item not in without]
        config.hook.pytest_deselected(items=sorted(without, key=lambda item: item.nodeid))
    for item in items:
        if isinstance(item, pytest.Function) and "browser" in item.fixturenames:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def _lacks(item: pytest.Item) -> bool:
    if item.get_closest_marker("shared_data") and not SHARED_DATA.is_dir():
        return True
    asked = [program for mark in item.iter_markers("needs") for program in mark.args]
    return not all(any(map(shutil.which, alternatives.split("|"))) for alternatives in asked)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says why a test was run once more: it is to be mended, though it passed then."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"run once more: {report.nodeid} ({report.when})")
        terminalreporter.write_line(report.longreprtext)


@pytest.fixture(scope="session", autouse=True)
def no_process_left_behind() -> Iterator[None]:
    """Fails the run when a process that a test started is still there at its end."""
    run = os.environ[MARK] = uuid.uuid4().hex
    yield
    _, alive = psutil.wait_procs(marked(run), timeout=5)
    left = [f"{process.pid} {process.name()}" for process in alive]
    for process in alive:
        process.kill()

    assert [] == left


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator["Browser"]:
    """The browser of this process; a test that opens a page in it does so in a fresh profile."""
    from tests.browser import chromium

    async with chromium() as opened:
        yield opened

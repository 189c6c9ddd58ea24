"""A plugin of pytest: at the end it lists the files whose tests take the most time.

``make test-times`` uses it. The wall-clock time of a file is the sum over its tests' set-ups, calls
and teardowns, as pytest measures them; a fixture that several files share counts where it is made.
The CPU time is that of the process that runs the tests, and of the processes that it started and
has waited for; it includes what happens between the tests, but not their collection.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Generator

import pytest

FILES = 20


def cpu_s() -> float:
    """The CPU time of this process and of its finished children so far."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Times:
    """Measures in the process that runs the tests, and adds up in the one that prints."""

    def __init__(self) -> None:
        self._since_s = 0.0
        self._tests: Counter[str] = Counter()
        self._wall_s: defaultdict[str, float] = defaultdict(float)
        self._cpu_s: defaultdict[str, float] = defaultdict(float)

    def pytest_runtestloop(self) -> None:
        """Begins to measure: all tests are collected."""
        self._since_s = cpu_s()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Adds to each report the CPU time since the report before it."""
        report = yield
        now_s = cpu_s()
        vars(report)["cpu_s"] = now_s - self._since_s
        self._since_s = now_s
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts a report, which may come from another process."""
        file = report.nodeid.partition("::")[0]
        self._tests[file] += report.when == "call"
        self._wall_s[file] += report.duration
        self._cpu_s[file] += vars(report).get("cpu_s", 0.0)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints the dearest files and the sum over all files."""
        write = terminalreporter.write_line
        terminalreporter.section("time by file")
        write("wall-clock s of the tests, CPU s of their process and its children, tests, file")
        dearest = sorted(self._wall_s, key=self._wall_s.__getitem__, reverse=True)
        for file in dearest[:FILES]:
            wall, cpu = self._wall_s[file], self._cpu_s[file]
            write(f"{wall:9.1f} {cpu:9.1f} {self._tests[file]:6d}  {file}")
        wall, cpu = sum(self._wall_s.values()), sum(self._cpu_s.values())
        write(f"{wall:9.1f} {cpu:9.1f} {self._tests.total():6d}  all files")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the measurement."""
    config.pluginmanager.register(Times(), "entraide-times")

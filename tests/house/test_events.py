"""Events of the log: each code in the sources is on the reference page, and the other way round."""

import ast
import re

from tests.house.source import ROOT, is_generated, modules, nodes, where

PAGE = ROOT / "docs/reference/events.md"
SECTIONS = {
    "entraide": "Connection to the bus (every process)",
    "entraide_scheduler": "Scheduler, gateways and bus",
    "entraide_node": "Node agent",
}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}

# Functions that log an event under a level of their own, by module; each is called with the code.
INDIRECT = {
    ("entraide.wire.nats", "_log_attempt"): {"warning"},
    ("entraide_scheduler.driver.executor", "level"): {"info", "warning"},
}
LOGGERS = {"_log", "log"}  # names of structlog's loggers
ROW = re.compile(r"^\| `([^`]+)` \| ([a-z, ]+) \|", re.MULTILINE)
CODE = re.compile(r"[a-z]+\.[a-z_]+")

Events = dict[tuple[str, str], set[str]]


def is_logger(target: ast.expr) -> bool:
    """Whether an expression is a logger: ``log``, ``self._log`` or ``get_logger(…)``."""
    if isinstance(target, ast.Call):
        return ast.unparse(target.func) == "structlog.get_logger"
    name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
    return name in LOGGERS


def levels_of(module: str, call: ast.Call) -> set[str]:
    """The levels at which a call logs; none if it does not log."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if isinstance(function, ast.Attribute) and name in LEVELS and is_logger(function.value):
        return {"error" if name == "exception" else name}
    return INDIRECT.get((module, name), set())


def logging_calls() -> list[tuple[str, ast.Call, set[str]]]:
    """Each call that logs, with its module and its levels."""
    return [
        (module, node, levels)
        for module, path in modules().items()
        if not is_generated(path)
        for node in nodes(path)
        if isinstance(node, ast.Call) and (levels := levels_of(module, node))
    ]


def code_of(call: ast.Call) -> str:
    """The code that a call logs; "" if it is not a constant."""
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def find_events() -> Events:
    """The events of the sources: levels by section of the page and code."""
    events: Events = {}
    for module, call, levels in logging_calls():
        if code := code_of(call):
            section = SECTIONS[module.partition(".")[0]]
            events.setdefault((section, code), set()).update(levels)
    return events


def listed_events() -> Events:
    """The events of the page, in the same form."""
    sections = re.split(r"^## (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        (title, code): set(levels.split(", "))
        for title, text in zip(sections[::2], sections[1::2], strict=True)
        for code, levels in ROW.findall(text)
    }


def test_each_event_is_listed_and_no_other() -> None:
    """The page names the events of the sources with their levels, in alphabetical order."""
    logged, listed = find_events(), listed_events()

    assert {} == {key: logged[key] for key in logged.keys() - listed.keys()}, f"add them to {PAGE}"
    assert {} == {key: listed[key] for key in listed.keys() - logged.keys()}, "nothing logs them"
    assert logged == listed
    assert [
        key for title in SECTIONS.values() for key in sorted(logged) if key[0] == title
    ] == list(listed)


def test_each_code_is_a_constant_of_the_form() -> None:
    """A log call names its event by a constant, so that a reader finds it by its code."""
    faults = [
        where(modules()[module], call.lineno)
        for module, call, _ in logging_calls()
        if CODE.fullmatch(code_of(call)) is None and not is_indirect(module, call)
    ]

    assert [] == faults


def is_indirect(module: str, call: ast.Call) -> bool:
    """Whether a call is inside a function of ``INDIRECT``, which gets the code as an argument."""
    return any(
        isinstance(node, ast.FunctionDef)
        and (module, node.name) in INDIRECT
        and node.lineno <= call.lineno <= (node.end_lineno or 0)
        for node in nodes(modules()[module])
    )

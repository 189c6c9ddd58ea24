"""A function fits a screen, a module fits a head, a test says what it shows."""

import ast
from pathlib import Path

import pytest
from tests.house.source import PACKAGES, ROOT, nodes, tree, where, written

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 500

Function = ast.FunctionDef | ast.AsyncFunctionDef
TESTS = tuple(path for path in written() if path.name.startswith("test_"))


def body_lines(function: Function) -> int:
    """The lines of a function without its docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def functions(path: Path) -> list[Function]:
    """Every function of a file, nested ones too."""
    return [node for node in nodes(path) if isinstance(node, Function)]


def test_functions_fit_a_screen() -> None:
    """No function is longer than a screen, docstring aside."""
    long = [
        f"{where(path, function.lineno)} {function.name}: {body_lines(function)} lines"
        for path in written()
        for function in functions(path)
        if body_lines(function) > FUNCTION_LINES_MAX
    ]

    assert [] == long


def test_modules_fit_a_head() -> None:
    """No module, test or script is longer than what one can hold in mind."""
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in written()}

    assert [] == [
        f"{path.relative_to(ROOT)}: {count} lines"
        for path, count in lines.items()
        if count > MODULE_LINES_MAX
    ]


@pytest.mark.parametrize("name", PACKAGES)
def test_modules_say_what_they_decide(name: str) -> None:
    """Each module of a package opens with a docstring."""
    mute = [
        str(path.relative_to(ROOT))
        for path in written()
        if path.is_relative_to(PACKAGES[name] / name) and ast.get_docstring(tree(path)) is None
    ]

    assert [] == mute


def test_tests_say_what_they_show() -> None:
    """Each test states in its docstring the behaviour that it shows."""
    mute = [
        f"{where(path, function.lineno)} {function.name}"
        for path in TESTS
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert [] == mute


def test_tests_do_not_sleep() -> None:
    """No test sleeps in its own body: it waits on a condition, with a deadline."""
    sleepers = [
        f"{where(path, node.lineno)} in {function.name}"
        for path in TESTS
        for function in functions(path)
        if function.name.startswith("test_")
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] == "sleep"
        and ast.unparse(node) != "asyncio.sleep(0)"
    ]

    assert [] == sleepers


def test_names_keep_to_our_words() -> None:
    """Nothing that we define is called worker or tenant: our words are node and co-op."""
    foreign = [
        f"{where(path, node.lineno)} {node.name}"
        for path in written()
        for node in nodes(path)
        if isinstance(node, Function | ast.ClassDef)
        and any(word in node.name.lower() for word in ("worker", "tenant"))
        and not node.name.startswith("test_")
    ]

    assert [] == foreign

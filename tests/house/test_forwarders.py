"""No module only passes calls on: each defines something, or is the face of a package."""

import ast

import pytest
from tests.house.source import is_generated, modules, tree

Function = ast.FunctionDef | ast.AsyncFunctionDef


def own_statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a body without its docstring."""
    first = body[0] if body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if is_docstring else body


def parameters(function: Function) -> set[str]:
    """The names of a function's parameters."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {each.arg for each in (*named, arguments.vararg, arguments.kwarg) if each}


def root(expression: ast.expr) -> tuple[str, int]:
    """The name that a chain of attributes begins with, and the length of the chain."""
    depth = 0
    while isinstance(expression, ast.Attribute):
        expression, depth = expression.value, depth + 1
    return (expression.id, depth) if isinstance(expression, ast.Name) else ("", depth)


def is_elsewhere(expression: ast.expr, imported: set[str]) -> bool:
    """Whether an expression names something imported, or an attribute of an attribute of self."""
    name, depth = root(expression)
    return name in imported or (name == "self" and depth > 1)


def forwards(function: Function, imported: set[str]) -> bool:
    """Whether a function only hands its own parameters to something defined elsewhere."""
    match own_statements(function.body):
        case [ast.Return(value=value) | ast.Expr(value=value)] if value is not None:
            pass
        case _:
            return False
    if isinstance(value, ast.Await):
        value = value.value
    if not isinstance(value, ast.Call):
        return is_elsewhere(value, imported)
    given = [*value.args, *(keyword.value for keyword in value.keywords)]
    bare = [each.value if isinstance(each, ast.Starred) else each for each in given]
    return is_elsewhere(value.func, imported) and all(
        isinstance(each, ast.Name) and each.id in parameters(function) for each in bare
    )


def only_keeps(function: Function) -> bool:
    """Whether a method only keeps its parameters in attributes."""
    return all(
        isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Name)
        and statement.value.id in parameters(function)
        for statement in own_statements(function.body)
    )


def is_passed_on(statement: ast.stmt, imported: set[str]) -> bool:
    """Whether a statement of a module, or of a class, adds nothing to what it imports."""
    match statement:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.Assign(value=value) | ast.AnnAssign(value=value) if value is not None:
            return is_elsewhere(value, imported)
        case ast.FunctionDef(name="__init__"):
            return only_keeps(statement)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return forwards(statement, imported)
        case ast.ClassDef(body=body) if own_statements(body):
            return all(is_passed_on(inner, imported) for inner in own_statements(body))
        case _:
            return False


def only_forwards(module: ast.Module) -> bool:
    """Whether a module has no definition of its own."""
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(module)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return all(is_passed_on(statement, imported) for statement in own_statements(module.body))


def test_no_module_only_forwards() -> None:
    """Each module has a definition of its own; the faces of packages need none."""
    forwarders = [
        name
        for name, path in modules().items()
        if path.name != "__init__.py" and not is_generated(path) and only_forwards(tree(path))
    ]

    assert [] == sorted(forwarders)


@pytest.mark.parametrize(
    "source",
    [
        '"""Nothing."""',
        "from a import b\n__all__ = ['b']",
        "import a\nb = a.c",
        "from a import b\ndef c(d, *, e): return b(d, e=e)",
        "from a import b\nasync def c(*d): await b(*d)",
        "class A:\n    def __init__(self, b): self._b = b\n    def c(self, d): return self._b.c(d)",
        "class A:\n    @property\n    def c(self): return self._b.c",
    ],
)
def test_the_reader_notices(source: str) -> None:
    """A module without a definition of its own is seen, in each of its forms."""
    assert only_forwards(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "A = 1",
        "from a import b\ndef c(d): return b(d + 1)",
        "from a import b\ndef c(d): return b(d, 1)",
        "from a import b\nclass C(b):\n    d: int",
        "class A:\n    def c(self): return self._c()",
        "from typing import Protocol\nclass A(Protocol):\n    def c(self): ...",
        "from a import b\nif __name__ == '__main__':\n    b()",
    ],
)
def test_a_definition_is_recognised(source: str) -> None:
    """A constant, a computation, a field, a protocol or a program's start is a definition."""
    assert not only_forwards(ast.parse(source))

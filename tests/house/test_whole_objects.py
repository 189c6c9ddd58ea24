"""Objects are whole when they are made: nobody gives one a callable later, from outside."""

import ast
from collections.abc import Iterable, Iterator

import pytest
from tests.house.source import is_generated, modules, tree

# Who handles a request decides what happens at its end; until then there is nothing to call.
EXCUSED = {"on_client_left", "on_ended"}


def callables(sources: Iterable[ast.Module]) -> set[str]:
    """The public attributes that classes declare as callables."""
    return {
        node.target.attr
        for source in sources
        for node in ast.walk(source)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Attribute)
        and not node.target.attr.startswith("_")
        and ast.unparse(node.annotation).startswith("Callable[")
    }


def set_from_outside(source: ast.Module) -> Iterator[str]:
    """The attributes that a module sets of other objects than the one whose method does."""
    for node in ast.walk(source):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) != "self":
                yield target.attr


def late(sources: Iterable[ast.Module]) -> list[str]:
    """The callables that some modules set of objects that were made before."""
    read = list(sources)
    named = callables(read)
    return sorted({name for source in read for name in set_from_outside(source) if name in named})


def test_no_object_gets_a_callable_after_it_was_made() -> None:
    """Each callable is an argument of its object's constructor."""
    shipped = [tree(path) for path in modules().values() if not is_generated(path)]

    assert sorted(EXCUSED) == late(shipped)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("store.check = refuse", ["check"]),
        ("self._store.check = refuse", ["check"]),
        ("store = Store(check=refuse)", []),
        ("self.check = refuse", []),
    ],
)
def test_the_reader_notices(line: str, found: list[str]) -> None:
    """A callable of another object is noticed; an argument and an own attribute are not."""
    declaring = "class A:\n    def __init__(self):\n        self.check: Callable[[], None] = print"

    assert found == late([ast.parse(declaring), ast.parse(line)])

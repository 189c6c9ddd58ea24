"""Structs with fields that nobody has named: adds them as modules load, then follows their values.

Run as a process of its own: ``python -m tests.house.extended_structs MODULE:CLASS…``. Each named
class gets the fields of ``ADDED`` at its end before its module is executed, so that every part of
the product sees them as it would see a field that somebody added to the source. Prints the places
where a value did not arrive, as a JSON list.
"""

import ast
import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

# What is added: a field's type and default in source, and the value that is followed.
ADDED: Mapping[str, tuple[str, str, Any]] = {
    "added_text": ("str", "''", "kept"),
    "added_number": ("float", "0.0", 7.5),
    "added_list": ("tuple[str, ...]", "()", ("kept", "both")),
}


class ExtendingLoader(SourceFileLoader):
    """Executes a module whose classes have more fields; reads and writes no cached code."""

    def __init__(self, name: str, path: str, classes: set[str]) -> None:
        super().__init__(name, path)
        self._classes = classes

    def get_code(self, fullname: str) -> CodeType:
        """Compiles the source with the added fields."""
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path))
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name in self._classes:
                fields = (f"{name}: {kind} = {start}" for name, (kind, start, _) in ADDED.items())
                node.body += ast.parse("\n".join(fields)).body
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


class ExtendingFinder:
    """Finds the modules whose classes are extended.

    Args:
        classes: names of classes by module.
    """

    def __init__(self, classes: Mapping[str, set[str]]) -> None:
        self._classes = classes

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the module's spec with the loader that extends it; None for other modules."""
        if name not in self._classes:
            return None
        spec = PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = ExtendingLoader(name, spec.origin, self._classes[name])
        return spec


def extend(names: Sequence[str]) -> None:
    """Extends classes, each named ``MODULE:CLASS``, and checks that each has the fields."""
    classes: dict[str, set[str]] = {}
    for name in names:
        module, _, kind = name.partition(":")
        assert module not in sys.modules, f"{module} is loaded already"
        classes.setdefault(module, set()).add(kind)
    sys.meta_path.insert(0, ExtendingFinder(classes))
    for module, kinds in classes.items():
        for kind in kinds:
            fields = getattr(importlib.import_module(module), kind).__struct_fields__
            assert set(ADDED) <= set(fields), f"{module}:{kind} was not extended"


def added_values() -> Iterator[tuple[str, Any]]:
    """Yields the names of the added fields, each with the value that is followed."""
    for name, (_, _, value) in ADDED.items():
        yield name, value


def main(names: Sequence[str]) -> None:
    """Extends the classes, and prints where a value of an added field was lost."""
    extend(names)
    follow = importlib.import_module("tests.house.field_paths")
    print(json.dumps(list(follow.find_losses())))


if __name__ == "__main__":
    main(sys.argv[1:])

"""The cores only think: this reads their source and holds them to what they may use.

The import contracts look at modules; this looks at names too, and allows by list what they forbid
by list, so that a module unheard of is refused as well.
"""

import ast
import math
from functools import cache
from pathlib import Path

import pytest
from msgspec import Struct
from tests.cases import all_cases
from tests.house.source import CORES, imports, modules, nodes, tree, where

from entraide_scheduler.core.records import Backoff, Load, Node

# Pure, and the same on every processor and under every hash seed.
ALLOWED = {
    "abc", "bisect", "collections", "dataclasses", "enum", "fractions", "functools", "hashlib",
    "heapq", "itertools", "math", "msgspec", "numpy", "operator", "types", "typing",
    "entraide.candidates", "entraide.decoding", "entraide.errors", "entraide.model_memory",
    "entraide.models", "entraide.quality_terms", "entraide.resuming",
    "entraide.lent_terms", "entraide.settlements", "entraide.shared_fields",
    "entraide.state_machine", "entraide.thinking", "entraide.types", "entraide.units",
}  # fmt: skip

# Exact, or correctly rounded by IEEE 754: everything else in `math` differs between libraries.
EXACT_MATH = {
    "ceil", "copysign", "fabs", "floor", "fsum", "gcd", "inf", "isclose", "isfinite", "isinf",
    "isnan", "isqrt", "lcm", "ldexp", "nan", "nextafter", "sqrt", "trunc",
}  # fmt: skip

INEXACT_NUMPY = {
    "average", "convolve", "correlate", "cos", "cosh", "cov", "cumprod", "dot", "einsum", "exp",
    "exp2", "expm1", "fft", "float_power", "inner", "linalg", "log", "log10", "log1p", "log2",
    "logaddexp", "matmul", "outer", "polyfit", "power", "random", "sin", "sinh", "tan", "tanh",
    "tensordot", "vdot",
}  # fmt: skip

# They speak to the world, or depend on the hash seed or on addresses.
FORBIDDEN_CALLS = {
    "__import__", "breakpoint", "compile", "eval", "exec", "hash", "id", "input", "open", "pow",
    "print",
}  # fmt: skip

SHARED = ("entraide_scheduler.line_window",)  # pure, of gateway and simulator
CORE_MODULES = {
    name: path
    for name, path in modules().items()
    if any(name == core or name.startswith(core + ".") for core in CORES)
}
PURE_MODULES = CORE_MODULES | {name: modules()[name] for name in SHARED}


def own_core(module: str) -> set[str]:
    """The core that a module belongs to, and that of its component; nothing for a shared one."""
    return {core for core in CORES if f"{module}.".startswith(f"{core}.")}


def is_allowed(imported: str, importer: str) -> bool:
    """Whether a pure module may import that name."""
    return any(
        imported == name or imported.startswith(name + ".") for name in ALLOWED | own_core(importer)
    )


def impurities(path: Path) -> list[str]:
    """A sentence for each expression that a core must not contain."""
    faults = []
    for node in nodes(path):
        what = impurity(node)
        if what:
            faults.append(f"{where(path, getattr(node, 'lineno', 0))} {what}")
    return faults


def impurity(node: ast.AST) -> str | None:
    """Why a core must not contain the node, or None."""
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
            return f"calls {name}()"
        case ast.Attribute(value=ast.Name(id="math"), attr=name) if name not in EXACT_MATH:
            return f"uses math.{name}"
        case ast.ImportFrom(module="math", names=names):
            inexact = {alias.name for alias in names} - EXACT_MATH
            return f"imports {sorted(inexact)} from math" if inexact else None
        case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr=name) if name in INEXACT_NUMPY:
            return f"uses numpy.{name}"
        case ast.BinOp(op=ast.MatMult()) | ast.AugAssign(op=ast.MatMult()):
            return "multiplies matrices"
        case ast.BinOp(op=ast.Pow(), left=left, right=right) if not (
            isinstance(left, ast.Constant) and isinstance(right, ast.Constant)
        ):
            return "raises to a power that is not written out"
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            return "awaits"
        case ast.Global() | ast.Nonlocal():
            return "keeps state outside an object"
    return None


@all_cases("module", sorted(PURE_MODULES))
def test_core_imports_the_vocabulary_only(module: str) -> None:
    """A core's module imports the vocabulary, its own core, and a few pure modules."""
    names = imports(module, PURE_MODULES[module])

    assert [] == sorted(name for name in names if not is_allowed(name, module))


@all_cases("module", sorted(PURE_MODULES))
def test_core_computes_the_same_everywhere(module: str) -> None:
    """A core's module uses nothing whose answer differs by processor, seed or moment."""
    assert [] == impurities(PURE_MODULES[module])


@all_cases(
    "module", lambda: sorted(name for name in modules() if name.split(".")[0] == "entraide_sim")
)
def test_the_simulator_knows_no_shell(module: str) -> None:
    """The simulator imports of ours the vocabulary, files, output, the two cores, itself, and what
    it shares with the gateway."""
    ours = (*CORES, *SHARED, "entraide_sim", "entraide.cli.output", "entraide.coop_names",
            "entraide.decoding", "entraide.errors", "entraide.files", "entraide.form_faults",
            "entraide.i18n", "entraide.models", "entraide.resuming", "entraide.shared_fields",
            "entraide.thinking", "entraide.types", "entraide.units")  # fmt: skip
    imported = [
        name
        for name in imports(module, modules()[module])
        if name.startswith("entraide") and name not in {"entraide", "entraide.cli"}
    ]

    assert [] == sorted(
        name
        for name in imported
        if not any(f"{name}.".startswith(f"{package}.") for package in ours)
    )


CORE_PACKAGES = frozenset(
    name for name, path in CORE_MODULES.items() if path.name == "__init__.py" and name not in CORES
)
INNER_MODULES = frozenset(name for name in CORE_MODULES if name.rpartition(".")[0] in CORE_PACKAGES)


def inner_imports(module: str, imported: set[str] | frozenset[str]) -> list[str]:
    """The imports of modules inside a package of a core, where the importer lies outside it."""
    return sorted(
        name
        for name in imported & INNER_MODULES
        if name.rpartition(".")[0] not in (module, module.rpartition(".")[0])
    )


@all_cases("module", lambda: sorted(modules()))
def test_a_package_of_the_core_is_used_through_its_face(module: str) -> None:
    """No shipped module imports a module inside a package of a core, but that package's own."""
    assert [] == inner_imports(module, imports(module, modules()[module]))


def test_an_import_past_a_face_is_noticed() -> None:
    """The check above sees an import of an inner module, and lets siblings import each other."""
    inner = "entraide_scheduler.core.policy.policy_validation"

    assert [inner] == inner_imports("entraide_scheduler.config.config", {inner})
    assert [] == inner_imports("entraide_scheduler.core.policy.policy", {inner})


@all_cases("package", sorted(CORE_PACKAGES))
def test_a_package_of_the_core_says_what_it_is(package: str) -> None:
    """A package opens with what it does, its input and output, and what each module holds."""
    opening = ast.get_docstring(tree(CORE_MODULES[package])) or ""
    flowing = " ".join(opening.split())
    inside = {name.rpartition(".")[2] for name in INNER_MODULES if name.startswith(f"{package}.")}

    assert set() == {word for word in ("Input: ", "Output: ") if word not in flowing}
    assert set() == {name for name in inside if f"``{name}``" not in opening}


@cache
def fields_set() -> frozenset[str]:
    """The attributes that the scheduler's core sets, whole or by key, outside the rules."""
    core, rules = CORES[0], f"{CORES[0]}.rules."
    names = set()
    for module, path in CORE_MODULES.items():
        if module.startswith(core) and not module.startswith(rules):
            for node in nodes(path):
                match node:
                    case (
                        ast.Attribute(attr=name, ctx=ast.Store())
                        | ast.Subscript(value=ast.Attribute(attr=name), ctx=ast.Store())
                    ):
                        names.add(name)
    return frozenset(names)


@pytest.mark.parametrize("record", [Node, Load, Backoff])
def test_each_fact_of_a_node_is_set(record: type[Struct]) -> None:
    """The core sets each field of what a rule reads: a rule on another would exclude no node."""
    unset = [name for name in record.__struct_fields__ if name not in fields_set()]

    assert [] == unset, f"nothing in the core sets these fields of {record.__name__}"


def test_both_cores_were_read() -> None:
    """The two tests above saw the cores, and not an empty list."""
    assert set(CORES) <= set(CORE_MODULES)


@pytest.mark.parametrize(
    "line",
    ["hash('a')", "math.exp(x)", "from math import log", "np.dot(a, b)", "a @ b", "a ** b",
     "open('f')"],
)  # fmt: skip
def test_the_reader_notices(line: str) -> None:
    """The reader of the cores sees each kind of offence when there is one."""
    noticed = [impurity(node) for node in ast.walk(ast.parse(line))]

    assert any(noticed)


def test_the_exact_functions_exist() -> None:
    """Each function listed as exact is one that Python has."""
    assert set() == EXACT_MATH - set(dir(math))

"""No function and no class of ours is there for nobody: a shipped module, a script or a benchmark
names it, or what others define calls it."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.house.source import ROOT, is_generated, modules, tree, written

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

# Programs beside the packages; `examples` are for readers, and tests are no reason to ship a thing.
PROGRAMS = ("benchmarks", "scripts")

# Classes of others call the methods of these by name.
CALLED_BY_OTHERS = {
    "asyncio.Protocol": "the event loop calls it, and httptools its callbacks",
    "_KnownEnd": "a stream protocol of asyncio",
    "asyncio.StreamReaderProtocol": "the event loop calls it",
    "Client": "nats-py calls itself",
    "Collector": "the registry of prometheus-client calls it",
    "TcpTransport": "nats-py calls it",
    "ThreadingHTTPServer": "socketserver calls it",
    "TypeDecorator": "SQLAlchemy calls its two conversions",
    "enrolment_pb2_grpc.EnrolmentServicer": "gRPC calls its method",
    "grpc.aio.ServerInterceptor": "gRPC calls its method",
    "urllib.request.HTTPRedirectHandler": "urllib calls it",
    "urllib.request.HTTPHandler": "urllib calls it",
    "urllib.request.HTTPSHandler": "urllib calls it",
    "Visitor": "fluent.syntax calls it",
    "WebSocketTransport": "nats-py calls it",
}

EXCUSED = {
    "entraide_scheduler.store.store.Store.get_balances": "the ledger's side of the balances, which "
    "tests compare with the core's after recoveries",
    "entraide_scheduler.control.operation_admin.OperationAdmin.StartOperation": "gRPC and the page "
    "call it by its name in the contract",
    "entraide_scheduler.notifications.trial_admin.TrialAdmin.SendTestMessages": "likewise",
    "entraide_sim.machines.engine.Engine.run_usage": "the open runs' side of the conservation of "
    "energy, which tests check on whole simulations",
}


def definitions(body: Iterable[ast.stmt], inside: str) -> Iterator[tuple[str, Definition]]:
    """The functions, classes and methods that a body defines, by their full names."""
    for node in body:
        if isinstance(node, Definition):
            name = f"{inside}.{node.name}"
            if not node.name.startswith("__"):
                yield name, node
            if isinstance(node, ast.ClassDef) and not is_called_by_others(node):
                yield from definitions(node.body, name)


def is_called_by_others(node: ast.ClassDef) -> bool:
    """Whether a class has a base that calls its methods."""
    bases = (ast.unparse(base).partition("[")[0] for base in node.bases)
    return any(base in CALLED_BY_OTHERS for base in bases)


def names(node: ast.AST) -> Counter[str]:
    """How often a syntax tree uses each name: as itself, as an attribute, or in a short string."""
    used: Counter[str] = Counter()
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                used[name] += 1
            case ast.Constant(value=str(text)) if re.fullmatch(r"[\w.]+(:\w+)?", text):
                used.update(re.findall(r"\w+", text))
    return used


def unused(sources: dict[str, ast.Module], programs: Iterable[ast.Module]) -> list[str]:
    """The definitions in some modules that neither they nor some programs use.

    A name stands for all that is called so: a function is found when nothing of its name is used.
    """
    used: Counter[str] = Counter()
    for source in (*sources.values(), *programs):
        used += names(source)
    return [
        name
        for module, source in sources.items()
        for name, node in definitions(source.body, module)
        if used[node.name] <= names(node)[node.name]
    ]


def shipped() -> dict[str, ast.Module]:
    """The modules of the packages that a person wrote."""
    return {name: tree(path) for name, path in modules().items() if not is_generated(path)}


def is_program(path: Path) -> bool:
    """Whether a file is a program beside the packages."""
    return path.relative_to(ROOT).parts[0] in PROGRAMS


def test_each_definition_is_used() -> None:
    """Each function, class and method is used, or has its reason here."""
    programs = [tree(path) for path in written() if is_program(path)]

    assert set() == set(unused(shipped(), programs)) ^ EXCUSED.keys()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(): ...", ["m.f"]),
        ("def f(): return f()", ["m.f"]),
        ("def f(): ...\ng = f", []),
        ("def f(): ...\ng = 'm:f'", []),
        ("class A:\n    def f(self): ...\n    def g(self): return self.f()\na = A().g", []),
        ("class A:\n    def f(self): ...\na = A", ["m.A.f"]),
        ("class A(Visitor):\n    def f(self): ...\na = A", []),
    ],
)
def test_the_reader_notices(source: str, found: list[str]) -> None:
    """What nothing names is found, even if it names itself; what a base calls is not."""
    assert found == unused({"m": ast.parse(source)}, [])

"""Faults to plant in the code: which exist, which are drawn, and where one lies in another commit.

A site is one operator on one part of a statement inside a function: the header of an `if`, a
`while` or a `for`, or a statement without a body. A fault names its module, its function and the
text of its statement, not its line, so that it is found again after a module has moved. The draw
depends on the seed and the sources alone. Log calls and texts for people have no site.
"""

from __future__ import annotations

import ast
import copy
import difflib
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SEED = 31_2026
LIKENESS_MIN = 0.75  # of a statement that has changed since the draw
CANDIDATES = 16  # drawn per package; the first five that tests reach are planted
GATEWAY = "scheduler/entraide_scheduler/gateway"
NODE = "node_agent/entraide_node"
SIM = "sim/entraide_sim"
IN_GATEWAY = f"{GATEWAY}/[!bos]*"  # its packages but batches, openapi and signin
IN_SIM = f"{SIM}/[!c]*"  # its packages but catalogue
PAGES = "dashboard/src"

# Thirty packages: a folder, or the modules of a folder that a pattern selects. A module belongs to
# the first package that selects it.
PACKAGES: dict[str, tuple[str, ...]] = {
    "gateway answers": (f"{GATEWAY}/*answer*.py", f"{IN_GATEWAY}/*answer*.py"),
    "gateway messages": (f"{GATEWAY}/messages*.py", f"{GATEWAY}/messages/*.py"),
    "gateway responses": (f"{GATEWAY}/responses*.py", f"{GATEWAY}/responses/*.py"),
    "gateway batches": (f"{GATEWAY}/batches/*.py", f"{GATEWAY}/batch_*.py"),
    "gateway documents": (f"{GATEWAY}/openapi/*.py",),
    "gateway sign-in": tuple(
        f"{GATEWAY}/{name}.py"
        for name in ("admin/*", "signin*", "signin/*", "oidc_*", "auth", "admin_*", "people_*")
    ),
    "gateway requests": tuple(
        f"{folder}/{name}.py"
        for folder in (GATEWAY, IN_GATEWAY)
        for name in (
            "conversation", "field*", "options", "strict_json", "*_bounds", "translation",
            "upload_form", "token_estimator", "openai", "embeddings",
        )
    ),
    "gateway connections": tuple(
        f"{folder}/{name}.py"
        for folder in (GATEWAY, IN_GATEWAY)
        for name in (
            "connection*", "head_check", "http", "incoming", "body_stream", "cors", "*_events",
            "event_log", "*_streams", "exchange", "peers", "callers", "route*", "refusals",
        )
    ),
    "gateway jobs": tuple(
        f"{folder}/{name}.py"
        for folder in (GATEWAY, IN_GATEWAY)
        for name in (
            "*_job", "*_jobs", "phases", "run*", "resumption", "sealer", "weights", "object_ids",
            "file*", "receipts", "gateway", "scheduler_watch",
        )
    ),
    "gateway views": (f"{GATEWAY}/*.py", f"{IN_GATEWAY}/*.py"),
    "node core": (f"{NODE}/core/*.py",),
    "node doctor": (f"{NODE}/doctor/*.py",),
    "node energy": (f"{NODE}/energy/*.py",),
    "node engines": (f"{NODE}/engines/*.py",),
    "node idleness": (f"{NODE}/idle_detection/*.py",),
    "node models": (f"{NODE}/models/*.py", f"{NODE}/model_manager/*.py"),
    "node owner": (f"{NODE}/owner/*.py", f"{NODE}/page/*.py"),
    "node agent": (f"{NODE}/*.py",),
    "sdk vocabulary": ("sdk/entraide/*.py",),
    "sdk commands": ("sdk/entraide/cli/*.py",),
    "sdk client": ("sdk/entraide/client/*.py",),
    "sdk batches": ("sdk/entraide/client/batches/*.py",),
    "sdk wire": ("sdk/entraide/wire/*.py",),
    "simulator replay": (f"{SIM}/replay/*.py", f"{SIM}/recordings/*.py", f"{SIM}/replay_cli.py"),
    "simulator report": (f"{SIM}/report/*.py",),
    "simulator plans": tuple(
        f"{folder}/{name}.py"
        for folder in (SIM, IN_SIM)
        for name in (
            "advice*", "assumed*", "breakdown", "comparison", "cost*", "fleet_*", "goals", "idle_*",
            "money*", "plan_*", "policy_*", "scenario*", "sensitivity*", "seed*", "sufficiency",
            "sweep", "tariffs", "toml_*", "spreadsheet", "csv_rows", "cli*",
        )
    ),
    "simulator world": (f"{SIM}/*.py", f"{IN_SIM}/*.py"),
    "pages chat": (f"{PAGES}/chat/*.ts", f"{PAGES}/chat/*.tsx"),
    "pages operator": (f"{PAGES}/pages/operator/*.ts", f"{PAGES}/pages/operator/*.tsx"),
    "pages others": tuple(
        f"{PAGES}/{folder}*.{end}"
        for folder in ("", "coop/", "pool/", "parts/", "pages/")
        for end in ("ts", "tsx")
    ),
}  # fmt: skip

SWAPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
LOG_CALL = re.compile(r"\b(_?log|_?logger|logging|structlog)\b")
SWITCH = '__import__("entraide._planted", fromlist=("switch",)).switch({number})'
SHORT_TEXT = re.compile(r"[\w./:-]{1,30}")

TS_STATEMENT = re.compile(
    r"(return\b.*;|(if|while) \(.*\) .*[{;]|(const|let) .* = .*[;{]"
    r"|[\w.]+\(.*\);|[\w.]+ [+-]?= .*;)"
)
TS_TOKENS = (
    ("comparison", r" (===|!==|<=|>=|<|>) ", {
        "===": "!==", "!==": "===", "<": "<=", "<=": "<", ">": ">=", ">=": ">"}),
    ("boolean", r" (&&|\|\|) ", {"&&": "||", "||": "&&"}),
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One small change, by module, function and statement."""

    id: str
    package: str
    path: str
    function: str
    statement: str
    operator: str
    index: int  # which of the statement's sites of this operator
    planted: str  # the statement with the fault


@dataclass(frozen=True)
class Place:
    """A statement of a tree: its text, and its range in the file, in bytes."""

    path: str
    function: str
    statement: str
    start: int
    end: int
    kind: str  # "condition" or "loop" for the header of a compound statement, else "statement"


@dataclass(frozen=True)
class Site:
    """A place, and one operator on it."""

    place: Place
    operator: str
    index: int
    planted: str


def modules(tree: Path) -> dict[str, list[Path]]:
    """Returns the source files of each package."""
    taken: set[Path] = set()
    listed: dict[str, list[Path]] = {}
    for package, patterns in PACKAGES.items():
        files = {path for pattern in patterns for path in tree.glob(pattern)} - taken
        listed[package] = sorted(path for path in files if not path.name.endswith(".d.ts"))
        taken |= files
    return listed


def parts(node: ast.stmt) -> ast.stmt | ast.expr | None:
    """Returns what can be changed of a statement: its header, or all of it if it has no body."""
    if isinstance(node, ast.If | ast.While):
        return node.test
    if isinstance(node, ast.For | ast.AsyncFor):
        return node.iter
    plain = ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Return | ast.Raise
    if not isinstance(node, plain | ast.Assert | ast.Delete):
        return None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return None
    return None if LOG_CALL.search(ast.unparse(node)) else node


def kind_of(node: ast.AST) -> str:
    """Returns what a part of a statement is."""
    if isinstance(node, ast.If | ast.While):
        return "condition"
    return "loop" if isinstance(node, ast.For | ast.AsyncFor) else "statement"


def places(path: Path, tree: Path) -> Iterator[tuple[Place, ast.AST]]:
    """Yields the places of a Python module inside functions, with their syntax trees."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def visit(node: ast.AST, name: str, within: bool) -> Iterator[tuple[Place, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                function = not isinstance(child, ast.ClassDef)
                yield from visit(child, f"{name}.{child.name}".lstrip("."), function)
                continue
            part = parts(child) if within and isinstance(child, ast.stmt) else None
            if part is not None and part.end_lineno and part.end_col_offset is not None:
                start = starts[part.lineno - 1] + part.col_offset
                end = starts[part.end_lineno - 1] + part.end_col_offset
                relative, text = str(path.relative_to(tree)), ast.unparse(part)
                yield Place(relative, name, text, start, end, kind_of(child)), part
            yield from visit(child, name, within)

    yield from visit(ast.parse(source), "", within=False)


def nodes(part: ast.AST) -> Iterator[ast.AST]:
    """Yields a part's nodes in a fixed order, without annotations and the texts of f-strings."""
    yield part
    for field, value in ast.iter_fields(part):
        if field == "annotation" or isinstance(part, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from nodes(child)


def swap_comparison(node: ast.AST) -> bool:
    """Changes a comparison's limit or direction."""
    if not isinstance(node, ast.Compare) or type(node.ops[0]) not in SWAPS:
        return False
    node.ops[0] = SWAPS[type(node.ops[0])]()
    return True


def swap_boolean(node: ast.AST) -> bool:
    """Turns `and` into `or`, and `or` into `and`."""
    if not isinstance(node, ast.BoolOp):
        return False
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return True


def negate(node: ast.AST) -> bool:
    """Negates the condition of an expression or of a comprehension."""
    if isinstance(node, ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.comprehension) and node.ifs:
        node.ifs[0] = ast.UnaryOp(ast.Not(), node.ifs[0])
    else:
        return False
    return True


def change_constant(node: ast.AST) -> bool:
    """Changes a number, a truth value or a short text such as a key."""
    if not isinstance(node, ast.Constant):
        return False
    value = node.value
    if isinstance(value, bool):
        node.value = not value
    elif isinstance(value, int):
        node.value = value + 1
    elif isinstance(value, float):
        node.value = value * 2 or 1.0
    elif isinstance(value, str) and SHORT_TEXT.fullmatch(value):
        node.value = f"{value}X"
    else:
        return False
    return True


def drop_argument(node: ast.AST) -> bool:
    """Drops the last named argument of a call, or the last of several."""
    if not isinstance(node, ast.Call):
        return False
    if node.keywords and node.keywords[-1].arg:
        node.keywords.pop()
    elif len(node.args) > 1 and not node.keywords:
        node.args.pop()
    else:
        return False
    return True


OPERATORS: dict[str, tuple[tuple[type[ast.AST], ...], Callable[[ast.AST], bool]]] = {
    "comparison": ((ast.Compare,), swap_comparison),
    "boolean": ((ast.BoolOp,), swap_boolean),
    "condition": ((ast.IfExp, ast.comprehension), negate),
    "constant": ((ast.Constant,), change_constant),
    "argument": ((ast.Call,), drop_argument),
}


def whole(part: ast.AST, place: Place) -> dict[str, str]:
    """Returns the operators on a whole part, with the text that replaces it."""
    if place.kind != "statement":
        return {"condition": f"not ({place.statement})"} if place.kind == "condition" else {}
    if isinstance(part, ast.Return):
        empty = part.value is None or ast.unparse(part.value) == "None"
        return {} if empty else {"return": "return None"}
    stored = isinstance(part, ast.Assign) and isinstance(
        part.targets[0], ast.Attribute | ast.Subscript
    )
    called = isinstance(part, ast.Expr) and not isinstance(part.value, ast.Yield | ast.YieldFrom)
    if stored or called or isinstance(part, ast.AugAssign | ast.Delete | ast.Raise):
        return {"deletion": "pass"}
    return {}


def python_sites(path: Path, tree: Path) -> Iterator[Site]:
    """Yields all sites of a Python module."""
    for place, part in places(path, tree):
        for operator, text in whole(part, place).items():
            yield Site(place, operator, -1, text)
        for index, node in enumerate(nodes(part)):
            for operator, (kinds, change) in OPERATORS.items():
                if isinstance(node, kinds):
                    mutated = copy.deepcopy(part)
                    if change(list(nodes(mutated))[index]):
                        text = ast.unparse(ast.fix_missing_locations(mutated))
                        yield Site(place, operator, index, text)


def script_places(path: Path, tree: Path) -> Iterator[Place]:
    """Yields the lines of a TypeScript module that are a statement, or open one, in a block."""
    start, before, function = 0, "", ""
    for raw in path.read_bytes().splitlines(keepends=True):
        line = raw.decode()
        text = line.strip()
        named = re.match(r"(?:export )?(?:async )?(?:function|const|class) (\w+)", line)
        function = named.group(1) if named else function
        inside = line.startswith("  ") and before.rstrip().endswith((";", "{", "}"))
        if inside and TS_STATEMENT.fullmatch(text):
            begin = start + len(line) - len(line.lstrip())
            relative = str(path.relative_to(tree))
            yield Place(relative, function, text, begin, begin + len(text.encode()), "statement")
        before = line if text and not text.startswith(("//", "*", "/*")) else before
        start += len(raw)


def script_sites(path: Path, tree: Path) -> Iterator[Site]:
    """Yields all sites of a TypeScript module."""
    for place in script_places(path, tree):
        text = place.statement
        for operator, pattern, swaps in TS_TOKENS:
            for index, match in enumerate(re.finditer(pattern, text)):
                if match.group(1) in "<>" and path.suffix == ".tsx":
                    continue
                changed = text[: match.start(1)] + swaps[match.group(1)] + text[match.end(1) :]
                yield Site(place, operator, index, changed)
        for index, match in enumerate(re.finditer(r"(?<![\w.#\"'-])\d+(?![\w.\"'-])", text)):
            number = str(int(match.group()) + 1)
            yield Site(
                place, "constant", index, text[: match.start()] + number + text[match.end() :]
            )
        if condition := re.fullmatch(r"(if|while) \(([^()]*(?:\([^()]*\)[^()]*)*)\) (.*)", text):
            head, test, rest = condition.groups()
            yield Site(place, "condition", -1, f"{head} (!({test})) {rest}")
        if text.startswith("return ") and text.endswith(";"):
            yield Site(place, "return", -1, "return undefined as never;")
        if re.fullmatch(r"[\w.]+(\(.*\)| [+-]?= .*);", text):
            yield Site(place, "deletion", -1, ";")


def sites(path: Path, tree: Path) -> Iterator[Site]:
    """Yields all sites of a module."""
    yield from (python_sites if path.suffix == ".py" else script_sites)(path, tree)


def draw(tree: Path) -> list[Fault]:
    """Draws the candidates of all packages: first an operator, then one of its sites."""
    drawn: list[Fault] = []
    for package, paths in modules(tree).items():
        generator = random.Random(f"{SEED}:{package}")  # noqa: S311 - a draw to repeat
        by_operator: dict[str, list[Site]] = defaultdict(list)
        for path in paths:
            for site in sites(path, tree):
                by_operator[site.operator].append(site)
        used: set[tuple[str, str, str]] = set()
        while len(used) < CANDIDATES:
            site = generator.choice(by_operator[generator.choice(sorted(by_operator))])
            key = (site.place.path, site.place.function, site.place.statement)
            if key not in used:
                used.add(key)
                drawn.append(fault_of(f"{package}/{len(used):02}", package, site))
    return drawn


def fault_of(name: str, package: str, site: Site) -> Fault:
    """Returns a site as a fault with an id."""
    place = site.place
    return Fault(
        name, package, place.path, place.function, place.statement, site.operator, site.index,
        site.planted,
    )  # fmt: skip


class Index:
    """All places of a tree, by statement and by function."""

    def __init__(self, tree: Path) -> None:
        """Reads the sources of a tree."""
        self._tree = tree
        self._by_statement: dict[str, list[Place]] = defaultdict(list)
        self._by_function: dict[str, list[Place]] = defaultdict(list)
        for path in sources(tree):
            python = path.suffix == ".py"
            listed = [place for place, _ in places(path, tree)] if python else []
            for place in listed if python else script_places(path, tree):
                self._by_statement[place.statement].append(place)
                self._by_function[place.function].append(place)

    def find(self, fault: Fault) -> Site | None:
        """Returns where a fault lies, or None: its module may have moved and changed a little."""
        same = self._by_statement[fault.statement]
        known = [place for place in same if closeness(place, fault) > 0]
        if known or len(same) == 1:
            place = max(known or same, key=lambda place: closeness(place, fault))
            return Site(place, fault.operator, fault.index, fault.planted)
        return self._find_changed(fault)

    def _find_changed(self, fault: Fault) -> Site | None:
        """Returns the site of a fault whose statement has changed a little."""
        best, likeness = None, LIKENESS_MIN
        for place in self._by_function[fault.function]:
            ratio = difflib.SequenceMatcher(None, place.statement, fault.statement).ratio()
            if ratio > likeness:
                best, likeness = place, ratio
        if best is None:
            return None
        listed = [
            site
            for site in sites(self._tree / best.path, self._tree)
            if site.place == best and site.operator == fault.operator
        ]
        return min(listed, key=lambda site: abs(site.index - fault.index), default=None)


def closeness(place: Place, fault: Fault) -> int:
    """Returns how much speaks for a place: its path, its module's name and its function."""
    name = fault.path.rsplit("/", 1)[1]
    return (
        4 * (place.path == fault.path)
        + 2 * (place.function == fault.function)
        + (place.path.rsplit("/", 1)[1] == name)
    )


def sources(tree: Path) -> list[Path]:
    """Returns the modules of a tree in which faults may lie."""
    roots = ("sdk/entraide", "scheduler/entraide_scheduler", NODE, SIM, PAGES)
    files = [path for root in roots for path in sorted((tree / root).rglob("*"))]
    code = [path for path in files if path.suffix in {".py", ".ts", ".tsx"}]
    return [path for path in code if "/v1/" not in str(path) and not path.name.endswith(".d.ts")]


def replaced(source: bytes, place: Place, text: str) -> bytes:
    """Returns a source with another text at a place."""
    return source[: place.start] + text.encode() + source[place.end :]


def with_switches(source: bytes, planted: list[tuple[Place, int, str]]) -> bytes:
    """Returns a Python source with numbered faults, each of which a switch turns on.

    The switch also notes that its line is reached. See `SWITCHES` in scripts/planted_faults.py.
    """
    at: dict[Place, list[tuple[int, str]]] = defaultdict(list)
    for place, number, text in planted:
        at[place].append((number, text))
    for place in sorted(at, key=lambda place: -place.start):
        original = source[place.start : place.end].decode()
        faults = [(SWITCH.format(number=number), text) for number, text in at[place]]
        if place.kind == "statement":
            line = source.rfind(b"\n", 0, place.start) + 1
            indent = source[line : place.start].decode()
            switched = "".join(
                f"{'el' if order else ''}if {switch}:\n{indent}    {text}\n{indent}"
                for order, (switch, text) in enumerate(faults)
            )
            switched += f"else:\n{indent}    {original}"
        else:
            switched = "".join(f"({text}) if {switch} else " for switch, text in faults)
            switched = f"({switched}({original}))"
        source = replaced(source, place, switched)
    return source


def with_script_probes(source: bytes, probes: list[tuple[Place, str]]) -> bytes:
    """Returns a TypeScript source that runs a probe each time it reaches one of the places."""
    for place, call in sorted(probes, key=lambda probe: -probe[0].start):
        text = source[place.start : place.end].decode()
        source = replaced(source, place, f"{call}; {text}")
    return source

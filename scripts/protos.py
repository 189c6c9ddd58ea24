"""Generates the Python code of `protos/` in `sdk/entraide/v1`, or checks that it is up to date.

    python scripts/protos.py            writes the generated files
    python scripts/protos.py --check    exits 1 and names the files that differ

Compiled with `protos` as the root and `sdk` as the output, the generated imports need no patching.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGE = Path("entraide/v1")
TARGET = ROOT / "sdk" / PACKAGE
INIT = '"""Generated from `protos/entraide/v1` by `make protos`; no hand touches it."""\n'


def generate(out: Path) -> None:
    """Compiles every proto file below `out`, messages, services and their types."""
    files = sorted(str(path) for path in (PROTOS / PACKAGE).glob("*.proto"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    google = [path for path in map(Path, sys.path) if (path / "google/rpc/status.proto").is_file()]
    scripts = Path(sys.executable).parent
    arguments = [
        "protoc",
        f"--proto_path={PROTOS}",
        f"--proto_path={well_known}",
        *(f"--proto_path={path}" for path in google[:1]),
        f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet:{out}",
        *files,
    ]
    if not files or protoc.main(arguments) != 0:
        raise SystemExit(f"protoc refused the files below {PROTOS / PACKAGE}")
    (out / PACKAGE / "__init__.py").write_text(INIT, "utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    """Returns the generated files of a folder, by name."""
    return {
        path.name: path.read_bytes() for path in folder.glob("*") if path.suffix in {".py", ".pyi"}
    }


def main(arguments: list[str]) -> int:
    """Writes or checks; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh, kept = contents(Path(folder) / PACKAGE), contents(TARGET)
        if "--check" not in arguments:
            shutil.rmtree(TARGET, ignore_errors=True)
            shutil.copytree(Path(folder) / PACKAGE, TARGET)
            return 0
    differing = sorted(name for name in fresh | kept if fresh.get(name) != kept.get(name))
    for name in differing:
        print(f"{TARGET.relative_to(ROOT) / name} differs from the protos; run `make protos`")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

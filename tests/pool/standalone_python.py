"""A relocatable build of Python as the mirror has it, made from the Python that runs the tests.

Its layout is that of the archives ``install_only_stripped`` of python-build-standalone: everything
in the folder ``python``, with ``bin/python3``. Python finds its standard library from the place of
its program, and the program its shared library, if it has one.
"""

import hashlib
import io
import sys
import sysconfig
import tarfile
from pathlib import Path

from entraide_scheduler.pool.mirror_pythons import PythonBuild, PythonBuilds

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LEFT_OUT = {"site-packages", "dist-packages", "test", "idlelib", "tkinter", "__pycache__"}
BESIDE = b"$ORIGIN/../lib"  # where the loader looks for libraries


def pack_python(folder: Path, platform: str) -> PythonBuilds:
    """Writes the archive into a folder; returns it as the pinned build of a platform."""
    path = folder / f"cpython-{PYTHON}+test-{platform}.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        built_in = str(sysconfig.get_config_var("LIBDIR"))
        program = with_library_beside(Path(sys.executable).resolve().read_bytes(), built_in)
        member = tarfile.TarInfo(f"python/bin/python{PYTHON}")
        member.size, member.mode = len(program), 0o755
        archive.addfile(member, io.BytesIO(program))
        link = tarfile.TarInfo("python/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, f"python{PYTHON}"
        archive.addfile(link)
        archive.add(
            sysconfig.get_path("stdlib"), f"python/lib/python{PYTHON}", filter=_without_owner
        )
        if sysconfig.get_config_var("Py_ENABLE_SHARED"):
            name = str(sysconfig.get_config_var("INSTSONAME"))
            library = Path(str(sysconfig.get_config_var("LIBDIR"))) / name
            archive.add(library, f"python/lib/{name}", filter=_without_owner)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    build = PythonBuild(platform, path.name, sha256)
    return PythonBuilds(f"{PYTHON}.0", "test", "https://localhost:9", (build,))


def with_library_beside(program: bytes, built_in: str) -> bytes:
    """Returns a program that looks for its library beside it, and not in the folder of its build.

    That folder, ``built_in``, is a string in the program's table of strings (``DT_RUNPATH``); it is
    overwritten.
    """
    folder = built_in.encode() + b"\0"
    return program.replace(b"\0" + folder, b"\0" + BESIDE.ljust(len(folder), b"\0"))


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    name = Path(member.name).name
    return None if name in LEFT_OUT or name.startswith("config-") else member

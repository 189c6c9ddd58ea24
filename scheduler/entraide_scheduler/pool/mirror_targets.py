"""Mirror targets: the kinds of machines for which a mirror has wheels, and the versions they need.

A target is a system, a processor and a version of Python, written ``linux-x86_64-3.11``. The
versions are those of ``node.lock``, with the hashes of every file that may be used (``make lock``).
"""

import re
from collections.abc import Sequence
from importlib.resources import files

from msgspec import Struct
from packaging.requirements import Requirement

from entraide.errors import PoolError

PLATFORMS = ("linux-x86_64", "linux-aarch64", "macos-arm64")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# The oldest C library of a target: 2.28, of 2018, as in RHEL 8, Debian 10 and Ubuntu 18.10.
GLIBC_MINORS = range(5, 29)  # PEP 600
MACOS = "macosx_14_0_arm64"  # the oldest macOS of a target
LOCK = "node.lock"
TARGETS_MAX = 64

_TARGET = re.compile(rf"({'|'.join(PLATFORMS)})-(3\.(?:1[1-9]|[2-9]\d))")
_ENTRY = re.compile(r"^[a-z0-9].*(?:\n[ ]+--hash=.*)*", re.MULTILINE)
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


class Target(Struct, frozen=True):
    """A kind of machine.

    Attributes:
        platform: one of ``PLATFORMS``.
        python: version of Python, ``3.11``.
    """

    platform: str
    python: str

    @property
    def name(self) -> str:
        """Its text."""
        return f"{self.platform}-{self.python}"

    @property
    def platform_tags(self) -> tuple[str, ...]:
        """Platform tags of wheels for it, the most widely usable first."""
        system, _, machine = self.platform.partition("-")
        if system == "macos":
            return (MACOS,)
        numbered = (f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS)
        return (*numbered, f"manylinux2014_{machine}")

    @property
    def marker_environment(self) -> dict[str, str]:
        """Values of the environment markers of requirements (PEP 508)."""
        system, _, machine = self.platform.partition("-")
        is_mac = system == "macos"
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Darwin" if is_mac else "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "darwin" if is_mac else "linux",
        }


class Pin(Struct, frozen=True):
    """A package at one version: ``name==version``, and ``sha256:…`` of each of its files."""

    requirement: str
    hashes: tuple[str, ...]

    def format(self) -> str:
        """Returns the line of a file of requirements."""
        return " ".join([self.requirement, *(f"--hash={each}" for each in self.hashes)])


def parse_targets(texts: Sequence[str]) -> list[Target]:
    """Returns the targets of these texts; without any, those of all members' machines.

    Raises:
        PoolError: ``mirror_target_unknown``.
    """
    if not texts:
        return [Target(platform, python) for platform in PLATFORMS for python in PYTHONS]
    parsed = []
    for text in dict.fromkeys(texts):
        match = _TARGET.fullmatch(text)
        if match is None:
            raise PoolError(
                "mirror_target_unknown",
                text,
                values={"target": text, "platforms": ", ".join(PLATFORMS)},
            )
        parsed.append(Target(match[1], match[2]))
    return parsed[:TARGETS_MAX]


def read_pins(target: Target, lock: str = "") -> list[Pin]:
    """Returns what a lock's text pins on this target; without a lock, what a node needs there."""
    text = lock or (files("entraide_scheduler.pool") / LOCK).read_text("utf-8")
    pins = []
    for entry in _ENTRY.findall(text):
        requirement = Requirement(entry.partition("\\")[0].strip())
        marker = requirement.marker
        if marker is None or marker.evaluate(target.marker_environment):
            line = f"{requirement.name}{requirement.specifier}"
            pins.append(Pin(line, tuple(_HASH.findall(entry))))
    return pins

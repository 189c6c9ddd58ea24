"""A small release, signed with keys that the test makes."""

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from msgspec import Struct
from scripts import release_keys
from scripts import release_metadata as rm
from securesystemslib.signer import CryptoSigner

from entraide.release import METADATA, TARGETS

ROLES = {"root": 2, "targets": 2, "snapshot": 1, "timestamp": 1}  # each role's threshold
FILES: Mapping[str, bytes] = {
    "entraide-1.0-py3-none-any.whl": b"the program",
    "sbom.cdx.json": b"{}",
    "targets.txt": b"linux-x86_64-3.11\n",
}


class Keys(Struct, frozen=True):
    """The private keys of each role."""

    by_role: Mapping[str, tuple[CryptoSigner, ...]]

    @property
    def signers(self) -> list[CryptoSigner]:
        """All keys."""
        return [signer for signers in self.by_role.values() for signer in signers]

    def roles(self) -> dict[str, rm.RoleKeys]:
        """What a root says of them."""
        return {
            role: rm.RoleKeys(tuple(each.public_key for each in signers), ROLES[role])
            for role, signers in self.by_role.items()
        }


@cache
def make_keys(name: str) -> Keys:
    """New keys: three for root and targets, one for the others."""
    return Keys(
        {role: tuple(CryptoSigner.generate_ed25519() for _ in range(3 if number > 1 else 1))
         for role, number in ROLES.items()}
    )  # fmt: skip


def write_root(
    folder: Path, version: int, keys: Keys, before: Keys | None = None, *, signatures: int = 3
) -> str:
    """Writes a root of a release, signed by its keys and the keys before; its fingerprint."""
    root = rm.make_root(version, keys.roles(), datetime.now(UTC).replace(microsecond=0))
    signers = [*keys.by_role["root"][:signatures]]
    signers += before.by_role["root"][:signatures] if before else []
    signed = rm.sign(root, signers, [signer.public_key.keyid for signer in signers])
    path = folder / METADATA / f"{version}.root.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rm.to_bytes(signed))
    return release_keys.fingerprint(path)


def write_release(
    folder: Path,
    keys: Keys,
    date: datetime,
    *,
    version: str = "1.0",
    files: Mapping[str, bytes] = FILES,
) -> Path:
    """Writes the files and signs them, beside the roots that are there."""
    shutil.rmtree(folder / TARGETS, ignore_errors=True)
    (folder / TARGETS / version).mkdir(parents=True)
    for name, content in files.items():
        (folder / TARGETS / version / name).write_bytes(content)
    rm.sign_release(folder, version, date, keys.signers)
    return folder

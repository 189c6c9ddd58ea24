"""Documents of a release: notes from the changelog, and bill of materials (CycloneDX 1.6)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import datetime

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

SECTION = re.compile(r"^## \[(?P<name>[^\]]+)\][^\n]*\n(?P<text>.*?)(?=^## \[|\Z)", re.M | re.S)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def extract_notes(changelog: str, version: str) -> str:
    """Returns the section of a version from the changelog; without one, what is not released."""
    sections = {each["name"]: each["text"].strip() for each in SECTION.finditer(changelog)}
    return f"# Entraide {version}\n\n{sections.get(version) or sections['Unreleased']}\n"


def make_sbom(version: str, date: datetime, lines: Iterable[str]) -> str:
    """Returns the bill of materials of the packages in the lines of requirements."""
    own = Component(
        name="entraide", version=version, type=ComponentType.APPLICATION, bom_ref="entraide"
    )
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, f"entraide {version} {date}"))
    bom.metadata.timestamp = date
    bom.metadata.component = own
    digests: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        name, _, rest = line.partition("==")
        digests.setdefault((name, rest.partition(" ")[0]), set()).update(HASH.findall(line))
    parts = []
    for (name, number), values in sorted(digests.items()):
        purl = PackageURL("pypi", name=name, version=number)
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=value) for value in sorted(values)]
        parts.append(
            Component(name=name, version=number, purl=purl, bom_ref=str(purl), hashes=hashes)
        )
    bom.components.update(parts)
    bom.register_dependency(own, parts)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"

"""Naming: the name of a new version of the policy.

A number is followed by the next number; any other name gets ``+1``, then ``+2`` and so on.
"""

from collections.abc import Collection


def next_version(version: str, taken: Collection[str]) -> str:
    """Returns a name for the version after a version.

    Args:
        version: name of the version in force.
        taken: names that versions have or had.

    >>> next_version("3", {"1", "2", "3"}), next_version("2027-01", {"2027-01", "2027-01+1"})
    ('4', '2027-01+2')
    """
    stem, plus, count = version.rpartition("+")
    if version.isdecimal():
        stem, plus, count = "", "", version
    elif not (plus and count.isdecimal()):
        stem, plus, count = version, "+", "0"
    number = int(count)
    while (name := f"{stem}{plus}{number + 1}") in taken or name == version:
        number += 1
    return name

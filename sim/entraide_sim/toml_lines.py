"""TOML lines: the line number of a key in a TOML file, for error messages.

Recognises table headers and keys at the start of a line; for anything else it returns the line of
the nearest header.
"""

import re

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"-]+)\s*=")


def find_line(text: str, path: list[str | int]) -> int:
    """Returns the line of a key.

    Args:
        text: the file.
        path: names of tables and keys, and indices in arrays of tables (from 0), for instance
            ``["nodes", 2, "device"]``.

    Returns:
        The line, from 1; that of the nearest table above if the key is not found.
    """
    counts: dict[str, int] = {}
    here: list[str | int] = []
    best, best_length = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        key = _KEY.match(line)
        if header:
            here = _header_path(header.group(2), counts, array=header.group(1) == "[[")
            key_path = here
        elif key:
            key_path = [*here, *key.group(1).replace('"', "").split(".")]
        else:
            continue
        shared = _common_length(key_path, path)
        if shared > best_length and shared == len(key_path):
            best, best_length = number, shared
    return best


def _header_path(name: str, counts: dict[str, int], *, array: bool) -> list[str | int]:
    """Returns the path of a header; a name inside an array refers to its last table."""
    parts = [part.strip().strip('"') for part in name.split(".")]
    key_path: list[str | int] = []
    for index, part in enumerate(parts):
        key_path.append(part)
        so_far = ".".join(map(str, key_path))
        if array and index == len(parts) - 1:
            counts[so_far] = counts.get(so_far, -1) + 1
            # Forget the tables inside the previous element.
            for old in [counted for counted in counts if counted.startswith(f"{so_far}.")]:
                del counts[old]
        if so_far in counts:
            key_path.append(counts[so_far])
    return key_path


def _common_length(first: list[str | int], second: list[str | int]) -> int:
    count = 0
    for part, other in zip(first, second, strict=False):
        if part != other:
            break
        count += 1
    return count

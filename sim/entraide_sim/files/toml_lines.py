"""TOML lines: the line number of a key in a TOML file, for error messages.

Recognises table headers and keys at the start of a line; other keys get the line of the nearest
header above.
"""

import re

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"-]+)\s*=")


def find_line(text: str, path: list[str | int]) -> int:
    """Returns the line of a key.

    Args:
        text: contents of the file.
        path: names of tables and keys, and indices in arrays of tables (from 0), for instance
            ``["nodes", 2, "device"]``.

    Returns:
        The line, from 1; that of the nearest table above if the key is not found.
    """
    counts: dict[str, int] = {}
    table_path: list[str | int] = []
    best_line, best_length = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        key = _KEY.match(line)
        if header:
            table_path = _header_path(header.group(2), counts, array=header.group(1) == "[[")
            key_path = table_path
        elif key:
            key_path = [*table_path, *key.group(1).replace('"', "").split(".")]
        else:
            continue
        common = _common_length(key_path, path)
        if common > best_length and common == len(key_path):
            best_line, best_length = number, common
    return best_line


def _header_path(name: str, counts: dict[str, int], *, array: bool) -> list[str | int]:
    """Returns the path of a header; a name inside an array refers to its last table."""
    parts = [part.strip().strip('"') for part in name.split(".")]
    key_path: list[str | int] = []
    for index, part in enumerate(parts):
        key_path.append(part)
        prefix = ".".join(map(str, key_path))
        if array and index == len(parts) - 1:
            counts[prefix] = counts.get(prefix, -1) + 1
            # Forget the tables inside the previous element.
            for nested in [path for path in counts if path.startswith(f"{prefix}.")]:
                del counts[nested]
        if prefix in counts:
            key_path.append(counts[prefix])
    return key_path


def _common_length(first: list[str | int], second: list[str | int]) -> int:
    count = 0
    for part, other in zip(first, second, strict=False):
        if part != other:
            break
        count += 1
    return count

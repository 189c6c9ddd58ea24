"""The script that plants faults finds them again and turns them on one at a time."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from scripts.fault_sites import SWITCH, Fault, Index, Site, sites, with_switches

SOURCE = """\
def area(width, height):
    if width < 0 and height < 0:
        raise ValueError
    product = width * height
    return round(
        product, ndigits=2
    )
"""


def write(tree: Path, path: str, source: str) -> list[Site]:
    """Writes a module into a tree and returns its sites."""
    module = tree / path
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(source)
    return list(sites(module, tree))


def test_a_fault_is_found_after_its_module_moved(tmp_path: Path) -> None:
    """Neither another folder nor other lines around a statement hide it."""
    (site,) = [
        each
        for each in write(tmp_path / "old", "sdk/entraide/areas.py", SOURCE)
        if each.operator == "boolean"
    ]
    fault = Fault(
        "sdk/01", "sdk", site.place.path, "area", site.place.statement, "boolean", 0, site.planted
    )
    write(tmp_path / "new", "sdk/entraide/shapes/areas.py", f"FIRST = 1\n\n\n{SOURCE}")
    again = Index(tmp_path / "new").find(fault)

    assert again is not None
    assert "sdk/entraide/shapes/areas.py" == again.place.path
    assert "width < 0 or height < 0" == again.planted


def test_each_switch_turns_on_its_own_fault(tmp_path: Path) -> None:
    """With all switches off the code does what it did; with one on, what that fault says."""
    listed = write(tmp_path, "sdk/entraide/areas.py", SOURCE)
    numbered = [(site.place, number, site.planted) for number, site in enumerate(listed)]
    source = with_switches(SOURCE.encode(), numbered).decode()
    results = {}
    for number in (-1, *range(len(listed))):
        namespace: dict[str, Any] = {"switch": partial(int.__eq__, number)}
        exec(source.replace(SWITCH.removesuffix("({number})"), "switch"), namespace)
        results[number] = [_call(namespace["area"], *sides) for sides in ((2, 3.456), (-1, 2))]

    assert [6.91, -2] == results[-1]
    assert [None, None] == next(
        results[number] for number, site in enumerate(listed) if site.operator == "return"
    )
    assert [6.91, "ValueError"] == next(
        results[number] for number, site in enumerate(listed) if site.operator == "boolean"
    )


def _call(function: Callable[..., object], *arguments: float) -> object:
    """What a call returns, or the name of what it raises."""
    try:
        return function(*arguments)
    except ValueError:
        return "ValueError"

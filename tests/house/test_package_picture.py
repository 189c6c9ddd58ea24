"""The pictures in `docs/architecture.md` show the imports; one that goes up is refused."""

import subprocess
import sys

import pytest
from scripts import package_picture
from tests.house.source import ROOT

LEVELS = [["shell"], ["core"], ["types", "units"]]


def test_the_pictures_are_drawn_from_the_imports() -> None:
    """Both pages have both pictures, as ``python scripts/package_picture.py`` draws them now."""
    command = [sys.executable, "scripts/package_picture.py", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    pages = [page.read_text("utf-8") for page in package_picture.PAGES.values()]

    assert (checked.returncode, checked.stdout) == (0, "")
    assert [["parts", "core"]] * 2 == [
        [name for _, name, _ in package_picture.BLOCK.findall(page)] for page in pages
    ]


@pytest.mark.parametrize(
    ("boxes", "faults"),
    [
        ({"shell": {"core", "types"}, "core": {"types"}, "types": set()}, []),
        ({"core": {"shell"}, "shell": set()}, ["core imports shell, which is above it"]),
        ({"shell": set(), "page": set()}, ["page has no level"]),
        (
            {"types": {"units"}, "units": {"types"}},
            ["a circle of imports: types → units → types"],
        ),
    ],
)
def test_an_import_that_goes_up_or_around_is_refused(
    boxes: dict[str, set[str]], faults: list[str]
) -> None:
    """An import of a higher level, a circle on one level and a box without a level are named."""
    assert faults == package_picture.faults(boxes, LEVELS)


def test_a_refused_picture_is_not_drawn() -> None:
    """The script stops at an import that goes up."""
    with pytest.raises(package_picture.PictureError, match="core imports shell"):
        package_picture.draw({"core": {"shell"}, "shell": set()}, LEVELS, ())


def test_an_arrow_that_others_imply_is_left_out() -> None:
    """Of three imports, the one that the two others imply has no arrow."""
    boxes = {"shell": {"core", "types"}, "core": {"types"}, "types": set()}
    drawn = package_picture.draw(boxes, LEVELS, ()).splitlines()

    assert ["    shell --> core", "    core --> types"] == drawn[2:-1]

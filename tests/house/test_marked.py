"""The Makefile names the files with marked tests, none left out; only those have a second try."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
from tests.conftest import is_left_out
from tests.house.source import ROOT, nodes, where, written
from tests.shares import LONGEST, SECONDS, files_of, seconds_of, split

MARKERS = ("engines", "long", "fuzz")  # those for which the Makefile makes a list
TESTS = tuple(path for path in written() if path.is_relative_to(ROOT / "tests"))
MENTION = re.compile(rf"mark\.({'|'.join(MARKERS)})\b")
SECOND_TRY = re.compile(
    "fla" + "ky|re" + "runs"
)  # in two parts, so that this file has no such word


def marks(source: str) -> set[str]:
    """The markers that a source names, in the form that the Makefile looks for."""
    return set(MENTION.findall(source))


def is_other_form(node: ast.AST) -> bool:
    """Whether a piece of code may mark tests in a form that the Makefile does not look for."""
    match node:
        case ast.Call(func=ast.Attribute(attr="add_marker"), args=[mark, *_]):
            return not ast.unparse(mark).startswith("pytest.mark.")
        case ast.Call(func=ast.Name(id="getattr"), args=[ast.Attribute(attr="mark"), *_]):
            return True
        case ast.Assign(value=ast.Attribute(value=ast.Name(id="pytest"), attr="mark")):
            return True
        case ast.Import(names=names):
            return any(alias.name == "pytest" and alias.asname for alias in names)
        case ast.ImportFrom(module=str(module), names=names):
            borrowed = {alias.name for alias in names}
            tests = module.rpartition(".")[2].startswith("test_")
            return (module == "pytest" and "mark" in borrowed) or (
                tests and any(name.endswith("mark") for name in borrowed)
            )
        case _:
            return False


@pytest.mark.checkout
@pytest.mark.parametrize("marker", MARKERS)
def test_each_file_with_a_marked_test_is_named(marker: str) -> None:
    """The list that make computes has each test file that has the marker."""
    rules = f"include Makefile\nshow: ; @echo $(call marked,{marker})\n"
    command = ["make", "--no-print-directory", "-f", "-", "show"]
    printed = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, input=rules
    ).stdout

    assert printed.split() == sorted(
        str(path.relative_to(ROOT)) for path in TESTS if marker in marks(path.read_text("utf-8"))
    )


@pytest.mark.checkout
def test_no_test_of_make_test_has_a_second_try() -> None:
    """A test that fails by chance fails the run: neither the targets nor a test may try again."""
    command = [
        "make",
        "--no-print-directory",
        "--dry-run",
        "test-unit",
        "test-replay",
        "test-wheel",
    ]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    sources = [ROOT / "pyproject.toml", ROOT / "scripts/wheel_check.py", *TESTS]

    assert 3 <= printed.count("-m pytest")
    assert None is SECOND_TRY.search(printed)
    assert [] == [where(path, 1) for path in sources if SECOND_TRY.search(path.read_text("utf-8"))]


def test_marks_stand_where_the_tests_stand() -> None:
    """Only a test file puts these marks on tests, and in the form that make looks for."""
    elsewhere = {path for path in TESTS if not path.name.startswith("test_")}

    assert [] == [where(path, 1) for path in elsewhere if marks(path.read_text("utf-8"))]
    assert [] == [
        where(path, getattr(node, "lineno", 0))
        for path in TESTS
        for node in nodes(path)
        if is_other_form(node)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "item.add_marker('long')",
        "getattr(pytest.mark, 'long')",
        "import pytest as p",
        "from pytest import mark",
        "m = pytest.mark",
        "from tests.sim.test_sweep import pytestmark",
    ],
)
def test_the_reader_notices(line: str) -> None:
    """A mark is seen that is given in another form, or borrowed from another file."""
    assert any(map(is_other_form, ast.walk(ast.parse(line))))


@pytest.mark.parametrize(
    ("source", "expression", "expected"),
    [
        ("pytestmark = pytest.mark.engines  # real", "not engines and not long", True),
        ("pytestmark = [\n    pytest.mark.needs(N),\n    pytest.mark.long,\n]", "not long", True),
        ("pytestmark = pytest.mark.engines", "engines and not long", False),
        ("pytestmark = pytest.mark.longer", "not long", False),
        ("pytestmark = pytest.mark.engines", "not engines or long", False),
        ("pytestmark = pytest.mark.engines", "not (engines and long)", False),
        ("pytestmark = [pytest.mark.needs(N)]\n\n@pytest.mark.long", "not long", False),
        ("    pytestmark = pytest.mark.long", "not long", False),
    ],
)
def test_a_file_is_left_out_only_with_all_of_its_tests(
    source: str, expression: str, expected: bool
) -> None:
    """A file is not imported where the marks of all of its tests are excluded, else it is."""
    assert expected == is_left_out(source, expression)


@pytest.mark.checkout
def test_the_longest_files_begin() -> None:
    """Each file that is named to begin is there, and xdist keeps the order that the tests get."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    spread = re.findall(r"^.*--dist (?:loadfile|each)\b.*$", makefile, re.MULTILINE)

    assert [] == [name for name in (*LONGEST, *SECONDS) if not (ROOT / "tests" / name).is_file()]
    assert [
        "SPREAD := $(PROCESSES) --dist each --no-loadscope-reorder -o console_output_style=classic",
        "THREE  := -n 3 --dist loadfile --no-loadscope-reorder",
    ] == spread


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_each_file_is_of_one_share(parts: int) -> None:
    """No file is left out or read twice; the shares are about equal, and the house is whole."""
    files = files_of([ROOT / "tests"])
    shares = split(files, parts)
    seconds = [seconds_of(share) for share in shares]

    assert files == sorted(file for share in shares for file in share)
    assert parts == len(shares)
    assert max(seconds) < 1.05 * min(seconds)
    assert 1 == sum(any(file.parent.name == "house" for file in share) for share in shares)


def test_some_folders_are_split_as_well(tmp_path: Path) -> None:
    """A file that is named itself belongs to a share, as those of folders do; a helper does not."""
    for name in ("one/test_a.py", "one/support.py", "two/test_b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert [tmp_path / "one/test_a.py", tmp_path / "two/test_b.py"] == files_of(
        [tmp_path / "one", tmp_path / "two/test_b.py"]
    )

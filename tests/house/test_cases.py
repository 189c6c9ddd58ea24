"""One test of many cases tries each, and names those that fail as ``parametrize`` would."""

from enum import Enum

import pytest
from tests.cases import Test, all_cases


class Colour(Enum):
    """Values whose name pytest writes in full."""

    RED = 1


VALUES = ["text", 3, 0.5, True, None, Colour.RED, len, (1, 2)]


def lines(test: Test, **fixtures: object) -> list[str]:
    """What a test that fails prints."""
    with pytest.raises(pytest.fail.Exception) as failure:
        test(**fixtures)
    return str(failure.value).splitlines()


def test_each_case_that_fails_is_named() -> None:
    """Two cases of three fail: both are named, with the place and the error."""

    @all_cases("value", [0, 1, 2])
    def test(value: int) -> None:
        assert 0 == value

    counted, first, *_ = printed = lines(test)

    assert "2 of 3 cases fail" == counted
    assert first.startswith("[1] tests/house/test_cases.py:")
    assert ["[1]", "[2]"] == [line[:3] for line in printed if "AssertionError" in line]


def test_an_error_stops_no_other_case() -> None:
    """An exception, or a failure that a case declares, is one fault among others."""

    @all_cases("value", [0, 1, 2])
    def test(value: int) -> None:
        if value == 1:
            pytest.fail("declared")
        assert 1 / value

    assert ["[0]", "[1]"] == [line[:3] for line in lines(test)[1:] if line.startswith("[")]


def test_no_case_at_all_is_a_fault() -> None:
    """A list that came out empty shows nothing, so the test does not pass."""

    @all_cases("value", list)
    def test(value: int) -> None:
        """Is never called."""

    assert ["0 of 0 cases fail"] == lines(test)


def test_an_asynchronous_test_is_refused() -> None:
    """Its cases would be called and never run, so that none could fail."""
    with pytest.raises(AssertionError):

        @all_cases("value", [0])
        async def test(value: int) -> None:
            assert value


def test_fixtures_are_handed_on() -> None:
    """An argument that no case gives is a fixture, and pytest sees only those."""

    @all_cases(("first", "second"), [(1, 2), (3, 4)])
    def test(first: int, limit: int, second: int) -> None:
        assert first + second <= limit

    assert "[3-4] tests/" in lines(test, limit=4)[1]
    test(limit=7)


pytest_names = pytest.mark.parametrize("order", ["a", "b"])


@pytest_names
@pytest.mark.parametrize("given", [f"g-{value}" for value in (1, 2)], ids=["one", "two"])
@pytest.mark.parametrize("value", VALUES)
def test_names_are_those_of_pytest(
    value: object, given: str, order: str, request: pytest.FixtureRequest
) -> None:
    """A case has the name that ``parametrize`` gives it, where several are combined too."""

    @all_cases("order", ["a", "b"])
    @all_cases("given", [f"g-{value}" for value in (1, 2)], ids=["one", "two"])
    @all_cases("value", VALUES)
    def test(value: object, given: str, order: str) -> None:
        raise ValueError

    named = [line.split("]")[0][1:] for line in lines(test)[1:]]

    assert 4 * len(VALUES) == len(named)
    assert request.node.callspec.id in named

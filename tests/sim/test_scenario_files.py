"""Files of scenarios: series and traces as programs write them, and errors with file and line."""

from pathlib import Path

import pytest
from tests.sim.scenarios import small
from tests.sim.test_scenario import refusal

from entraide import i18n
from entraide_sim.building import LoadedScenario, build_world, check_files


def test_a_series_with_a_gap_names_its_line(tmp_path: Path) -> None:
    """An hour that is missing is told with the file and the line after it."""
    hours = [f"2025-01-14T{hour:02}:00:00Z,1.5" for hour in (12, 13, 14, 16, 17)]
    loaded = quebec("\n".join(["utc,grams", *hours]), tmp_path)
    problem = refusal(lambda: check_files(loaded))

    assert ("gap", f"{tmp_path / 'qc.csv'}:5") == (
        problem.values["fault"],
        problem.values["path"],
    )


def quebec(content: str, home: Path) -> LoadedScenario:
    """The small scenario with a series of one of its zones."""
    (home / "qc.csv").write_text(content, "utf-8")
    return small(
        ('zone = "CA-QC"', 'zone = "CA-QC"\nintensity = "qc.csv"\ncolumn = "grams"'), home=home
    )


GOOD_SERIES = {
    "byte-order mark": "\ufeffutc,grams\n"
    + "\n".join(f"2025-01-14T{hour}:00:00Z,{hour}.5" for hour in range(13, 17)),
    "semicolons and decimal commas": "utc;grams\n"
    + "\n".join(f"2025-01-14T{hour}:00:00Z;{hour},5" for hour in range(13, 17)),
    "half-hourly": "utc,grams\n"
    + "\n".join(
        f"2025-01-14T{hour}:{minute:02}:00Z,{hour}.{8 - minute // 5}"
        for hour in range(13, 17)
        for minute in (0, 30)
    ),
    "descending": "utc,grams\n"
    + "\n".join(f"2025-01-14T{hour}:00:00Z,{hour}.5" for hour in range(16, 12, -1)),
}


@pytest.mark.parametrize("case", GOOD_SERIES)
def test_a_series_is_read_as_programs_write_it(case: str, tmp_path: Path) -> None:
    """Separators, marks, order and half hours change nothing about the hourly values."""
    loaded = quebec(GOOD_SERIES[case], tmp_path)
    check_files(loaded)
    grid = build_world(loaded.scenario, home=loaded.home, seed=1).grid
    hours = [
        grid.intensity_at("CA-QC", loaded.scenario.start_at + 3_600.0 * hour)[0]
        for hour in range(4)
    ]

    assert [13.5, 14.5, 15.5, 16.5] == pytest.approx(hours)


BAD_FILES = {
    "two values of an hour": (
        "utc,grams\n2025-01-14T13:00:00Z,1\n2025-01-14T13:00:00Z,1\n2025-01-14T14:00:00Z,1",
        "moment_twice",
    ),
    "without order": (
        "utc,grams\n2025-01-14T14:00:00Z,1\n2025-01-14T13:00:00Z,1\n2025-01-14T15:00:00Z,1",
        "not_in_order",
    ),
    "every seven minutes": (
        "utc,grams\n2025-01-14T13:00:00Z,1\n2025-01-14T13:07:00Z,1",
        "not_hourly",
    ),
    "a half hour left out": (
        "utc,grams\n2025-01-14T13:00:00Z,1\n2025-01-14T13:30:00Z,1\n2025-01-14T14:30:00Z,1",
        "gap",
    ),
    "no column": ("utc,other\n2025-01-14T13:00:00Z,1", "no_column"),
    "not a number": ("utc,grams\n2025-01-14T13:00:00Z,much", "bad_cell"),
    "too late": ("utc,grams\n2025-01-14T15:00:00Z,1", "too_early"),
    "too short": ("utc,grams\n2025-01-14T13:00:00Z,1", "too_short"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_series_is_refused(case: str, tmp_path: Path) -> None:
    """Each problem of a series has a code, and a sentence in both languages."""
    content, fault = BAD_FILES[case]
    loaded = quebec(content, tmp_path)
    problem = refusal(lambda: check_files(loaded))
    sentences = [i18n.error(problem.code, lang, problem.values) for lang in ("fr", "en")]

    assert fault == problem.values["fault"]
    assert [] == [sentence for sentence in sentences if i18n.HOLE in sentence]


def test_a_trace_out_of_order_names_its_line(tmp_path: Path) -> None:
    """A trace must be sorted."""
    rows = ["arrival_s,input_tokens,output_tokens", "1,10,10", "5,10,10", "4,10,10"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    loaded = small(("clients = 10", 'trace = "t.csv"'), home=tmp_path)
    problem = refusal(lambda: check_files(loaded))

    assert ("not_in_order", f"{tmp_path / 't.csv'}:4") == (
        problem.values["fault"],
        problem.values["path"],
    )


AZURE_OWN = (
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2023-11-16 18:17:03.9799600,48,10\n2023-11-16 18:17:08.2799600,31,8\n"
)
GOOD_TRACES = {
    "azure's own header": AZURE_OWN,
    "byte-order mark": "\ufeffarrival_s,input_tokens,output_tokens\n0,48,10\n4.3,31,8\n",
    "semicolons": "arrival_s;input_tokens;output_tokens\n0;48;10\n4,3;31;8\n",
}


@pytest.mark.parametrize("case", GOOD_TRACES)
def test_a_trace_is_read_as_it_is_published(case: str, tmp_path: Path) -> None:
    """Azure's own columns are known, and its first request is the start."""
    (tmp_path / "t.csv").write_text(GOOD_TRACES[case], "utf-8")
    loaded = small(("clients = 10", 'trace = "t.csv"'), home=tmp_path)
    check_files(loaded)
    requests = list(build_world(loaded.scenario, home=loaded.home, seed=1).requests)

    assert [0.0, 4.3] == pytest.approx([asked.at - loaded.scenario.start_at for asked in requests])
    assert [(48, 10), (31, 8)] == [(asked.input_tokens, asked.output_tokens) for asked in requests]


BAD_TRACES = {
    "no request": ("", "empty_trace"),
    "never": ("inf,5,5", "bad_cell"),
    "a prompt of twenty digits": ("1,12345678901234567890,5", "most"),
    "after the scenario's hours": ("7300,5,5", "no_requests"),
    "repeated without end": ("0,5,5\nrepeat_h = 1e-9", "too_many_requests"),
}


@pytest.mark.parametrize("case", BAD_TRACES)
def test_a_bad_trace_is_refused(case: str, tmp_path: Path) -> None:
    """Each problem of a trace has a code, and a sentence in both languages."""
    content, fault = BAD_TRACES[case]
    row, _, more = content.partition("\n")
    (tmp_path / "t.csv").write_text(f"arrival_s,input_tokens,output_tokens\n{row}\n")
    loaded = small(("clients = 10", f'trace = "t.csv"\n{more}'), home=tmp_path)
    problem = refusal(lambda: check_files(loaded))
    sentences = [i18n.error(problem.code, lang, problem.values) for lang in ("fr", "en")]

    assert fault == problem.values["fault"]
    assert [] == [sentence for sentence in sentences if i18n.HOLE in sentence]


TOO_LARGE = {
    "series": (
        'zone = "CA-QC"', 'zone = "CA-QC"\nintensity = "f.csv"\ncolumn = "grams"',
        "utc,grams\n2025-01-14T13:00:00Z,1e308\n2025-01-14T14:00:00Z,1e308\n", "grams",
        "1000000000",
    ),
    "surplus": (
        'zone = "CA-QC"', 'zone = "CA-QC"\nsurplus = "f.csv"',
        "utc,surplus_w\n2025-01-14T13:00:00Z,1e308\n2025-01-14T14:00:00Z,1e308\n", "surplus_w",
        "1000000000",
    ),
    "time of a request": (
        "clients = 10", 'trace = "f.csv"',
        "arrival_s,input_tokens,output_tokens\n1e300,5,5\n", "at_s", "1000000000",
    ),
    "length of a request": (
        "clients = 10", 'trace = "f.csv"',
        f"arrival_s,input_tokens,output_tokens\n1,{10**400},5\n", "input_tokens", "10000000",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TOO_LARGE)
def test_a_cell_that_is_too_large_names_its_row_and_limit(case: str, tmp_path: Path) -> None:
    """Numbers whose sums overflow are refused with file, row, field and limit, in each language."""
    old, new, content, field, limit = TOO_LARGE[case]
    (tmp_path / "f.csv").write_text(content, "utf-8")
    loaded = small((old, new), home=tmp_path)
    problem = refusal(lambda: check_files(loaded))
    sentences = [i18n.error(problem.code, lang, problem.values) for lang in i18n.LANGUAGES]

    assert "most" == problem.values["fault"]
    for sentence in sentences:
        digits = "".join(char for char in sentence if char not in ",\u202f\xa0 ")
        assert "f.csv:2" in sentence
        assert field in sentence
        assert limit in digits

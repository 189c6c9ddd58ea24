"""Scenarios: allowed values, and errors with file, line and key."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cases import all_cases
from tests.sim.scenarios import SMALL, small, text

from entraide import i18n
from entraide.errors import RequestError
from entraide_sim.building import (
    build_world,
    check_files,
    load_scenario,
    scenario_validation,
)
from entraide_sim.building.scenario_reader import parse_scenario, shipped_scenarios
from entraide_sim.files import find_line, scenario_toml
from entraide_sim.fleet.fleet import build_machines

SHIPPED = [
    "gpu-ou-minis", "mac-ou-portables", "province", "quartier", "trois-provinces", "verglas",
]  # fmt: skip

# What is changed in the small scenario; then the fault's code, key, and the text of its line.
WRONG: dict[str, tuple[Callable[[], str], str, str, str]] = {
    "unknown key": (
        lambda: text(('device = "rtx-3060-12"', 'device = "rtx-3060-12"\ncolour = "red"')),
        "unknown_key", "nodes.2.colour", "colour",
    ),
    "unknown key in a table of a table": (
        lambda: text(more="[[faults.vanish]]\nat_h = 1.0\nwhen = 2"),
        "unknown_key", "faults.vanish.1.when", "when",
    ),
    "missing key": (
        lambda: text(('device = "rtx-3060-12"\n', "")),
        "missing_key", "nodes.2.device", "[[nodes]]",
    ),
    "a word for a number": (
        lambda: text(("count = 2\ncoop = \"beta\"", "count = \"deux\"\ncoop = \"beta\"")),
        "wrong_kind", "nodes.2.count", "count",
    ),
    "negative rate": (
        lambda: text(("requests_per_client_day = 60.0", "requests_per_client_day = -1.0")),
        "above", "workloads.1.requests_per_client_day", "requests_per_client_day",
    ),
    "zone without series": (
        lambda: text(('zone = "CA-AB"', 'zone = "US-ME"')),
        "no_series", "sites.2.zone", "zone",
    ),
    "unknown device": (
        lambda: text(("rtx-3060-12", "rtx-9999")), "unknown_name", "nodes.2.device", "device",
    ),
    "unknown site": (
        lambda: text(('site = "la-bas"', 'site = "ailleurs"')),
        "unknown_name", "nodes.2.site", "site",
    ),
    "two nodes of one name": (
        lambda: text(('name = "carte"', 'name = "mini"')), "twice", "nodes.2.name", "name",
    ),
    "a model that does not fit": (
        lambda: text(("params_b = 3.2", "params_b = 70.0")),
        "does_not_fit", "nodes.1.device", "device",
    ),
    "no price": (
        lambda: text(('device = "mac-mini-m4"', 'device = "mac-mini-m1"\ndedicated = true')),
        "no_price", "nodes.1.price_cad", "[[nodes]]",
    ),
    "hours that are none": (
        lambda: text(('site = "la-bas"', 'site = "la-bas"\nhours = ["toujours"]')),
        "no_hours", "nodes.2.hours.1", "hours",
    ),
    "lengths that fall": (
        lambda: text(("input_tokens = [20, 400]", "input_tokens = [400, 20]")),
        "no_lengths", "workloads.1.input_tokens", "input_tokens",
    ),
    "lengths beyond all models": (
        lambda: text(("input_tokens = [20, 400]", "input_tokens = [20, 12345678901234567890]")),
        "no_lengths", "workloads.1.input_tokens", "input_tokens",
    ),
    "more requests than can be simulated": (
        lambda: text(("requests_per_client_day = 60.0", "requests_per_client_day = 1e9")),
        "too_many_requests", "workloads.1.requests_per_client_day", "requests_per_client_day",
    ),
    "requests that end before they begin": (
        lambda: text(("clients = 10", "clients = 10\nfrom_h = 1.0\nuntil_h = 0.5")),
        "after", "workloads.1.until_h", "until_h",
    ),
    "requests that begin after the end": (
        lambda: text(("clients = 10", "clients = 10\nfrom_h = 2.0")),
        "between_not_high", "workloads.1.from_h", "from_h",
    ),
    "a fault after all time": (
        lambda: text(more="[[faults.vanish]]\nat_h = 1e12"),
        "between", "faults.vanish.1.at_h", "at_h",
    ),
    "a machine that draws less when it works": (
        lambda: text(('device = "rtx-3060-12"',
                      'device = "rtx-3060-12"\nidle_w = 90.0\nactive_w = 50.0')),
        "least", "nodes.2.active_w", "active_w",
    ),
    "a machine that draws more when idle than the catalogue's when it works": (
        lambda: text(('device = "rtx-3060-12"', 'device = "rtx-3060-12"\nidle_w = 9000.0')),
        "most", "nodes.2.idle_w", "idle_w",
    ),
    "neither trace nor clients": (
        lambda: text(("clients = 10", "clients = 0")),
        "trace_or_clients", "workloads.1.clients", "clients",
    ),
    "no coops": (
        lambda: re.sub(r"\[\[coops\]\]\nname = \"\w+\"\n", "", SMALL), "none_at_all", "coops", "",
    ),
    "a start without an offset": (
        lambda: text(("13:00:00Z", "13:00:00")), "no_offset", "start", "start",
    ),
    "no such time zone": (
        lambda: text(("hours = 2.0", 'hours = 2.0\ntimezone = "Mars/Olympus"')),
        "no_timezone", "timezone", "timezone",
    ),
    "a mishap that ends before it begins": (
        lambda: text(more="[[faults.vanish]]\nat_h = 1.0\nuntil_h = 0.5"),
        "after", "faults.vanish.1.until_h", "until_h",
    ),
    "a mishap of heartbeats that does not say how late": (
        lambda: text(more="[[faults.late]]\nat_h = 1.0"),
        "missing_key", "faults.late.1.late_s", "[[faults.late]]",
    ),
    "heartbeats that are too late": (
        lambda: text(more="[[faults.late]]\nat_h = 1.0\nlate_s = 4000"),
        "between_not_low", "faults.late.1.late_s", "late_s",
    ),
    "a restart without end": (
        lambda: text(more="[[faults.restart]]\nat_h = 1.0\ndown_s = 4000"),
        "between", "faults.restart.1.down_s", "down_s",
    ),
    "a restart in a restart": (
        lambda: text(more="[[faults.restart]]\nat_h = 1.0\ndown_s = 60\n"
                          "[[faults.restart]]\nat_h = 1.01"),
        "still_down", "faults.restart.2.at_h", "at_h",
    ),
    "a battery without panels": (
        lambda: text(("tariff_cad_per_kwh = 0.2",
                      "battery = { capacity_kwh = 5.0, power_kw = 2.0 }")),
        "nothing_to_store", "sites.2.battery", "battery",
    ),
    "a policy with an unknown key": (
        lambda: text(more="[policy]\nmood = 1"), "unknown_key", "policy.mood", "mood",
    ),
    "a policy with a bad value": (
        lambda: text(more="[policy.carbon]\ntolerance = -1.0"),
        "between", "policy.carbon.tolerance", "tolerance",
    ),
    "a range of nodes that are not there": (
        lambda: text(more='[[plan.ranges]]\nnodes = "grande"\nmost = 3'),
        "unknown_name", "plan.ranges.1.nodes", "nodes",
    ),
}  # fmt: skip


def refusal(source: Callable[[], object]) -> RequestError:
    """The error of an invalid scenario."""
    with pytest.raises(RequestError) as caught:
        source()
    return caught.value


@all_cases("case", WRONG)
def test_what_is_wrong_is_told_with_its_line(case: str) -> None:
    """Code, key and line of the first thing that is wrong, in a sentence without holes."""
    made, fault, key, at = WRONG[case]
    written = made()
    problem = refusal(lambda: parse_scenario(written, path="f.toml", home=Path()))
    line = int(str(problem.values["path"]).rpartition(":")[2])
    sentences = [i18n.error(problem.code, lang, problem.values) for lang in ("fr", "en")]

    assert (fault, key) == (problem.values["fault"], problem.values["key"])
    assert written.splitlines()[line - 1].startswith(at)
    assert [] == [sentence for sentence in sentences if i18n.HOLE in sentence]
    assert all("f.toml:" in sentence for sentence in sentences)


def test_what_is_no_toml_is_told_with_its_line() -> None:
    """A file that cannot be read names its line."""
    problem = refusal(
        lambda: parse_scenario(text(("[[models]]", "[[models")), path="f.toml", home=Path())
    )

    assert ("f.toml:12", "unreadable") == (problem.values["path"], problem.values["fault"])


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenarios_are_sound(name: str) -> None:
    """Each has both titles, and its files are in the package."""
    loaded = load_scenario(name)
    check_files(loaded)

    assert {"fr", "en"} == set(loaded.scenario.title) == set(loaded.scenario.about)
    assert name == loaded.scenario.name


def test_the_shipped_scenarios_are_these() -> None:
    """Names that people type do not change by accident."""
    assert SHIPPED == shipped_scenarios()


@pytest.mark.parametrize(
    ("name", "count"),
    [("quartier", 5), ("trois-provinces", 14), ("province", 1_000), ("gpu-ou-minis", 1)],
)
def test_shipped_fleets_are_as_large_as_their_names_say(name: str, count: int) -> None:
    """A scenario has as many machines as its name says."""
    assert count == len(build_machines(load_scenario(name).scenario))


def test_machines_are_dealt_to_co_ops_in_turn() -> None:
    """A pattern gives each of its co-ops its share, group after group."""
    owners = [
        machine.spec.card.coop for machine in build_machines(load_scenario("province").scenario)
    ]

    assert {5} == {owners.count(owner) for owner in set(owners)}
    assert 200 == len(set(owners))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_scenario_that_was_written_reads_the_same(name: str) -> None:
    """TOML there and back changes nothing."""
    scenario = load_scenario(name).scenario

    assert scenario == parse_scenario(scenario_toml(scenario), path="copy", home=Path()).scenario


def test_a_scenario_without_requests_is_refused() -> None:
    """A run of which nothing can be said is refused before it begins."""
    loaded = small(("requests_per_client_day = 60.0", "requests_per_client_day = 1e-6"))

    assert "no_requests" == refusal(lambda: check_files(loaded)).values["fault"]


def test_a_fixed_length_is_a_number() -> None:
    """One number means the same as an array with one number."""
    alone, listed = (
        small(("input_tokens = [20, 400]", f"input_tokens = {written}")).scenario
        for written in ("1000", "[1000]")
    )

    assert alone == listed


def test_a_file_that_is_not_there_is_told_at_its_key(tmp_path: Path) -> None:
    """The line is that of the scenario, for the file has none."""
    loaded = small(("clients = 10", 'trace = "t.csv"'), home=tmp_path)
    problem = refusal(lambda: check_files(loaded))

    assert ("no_file", "workloads.1.trace") == (problem.values["fault"], problem.values["key"])


def test_restarts_and_late_heartbeats_become_faults() -> None:
    """A scenario's seconds and hours are those of the faults in its world."""
    loaded = small(more="[[faults.restart]]\nat_h = 0.5\ndown_s = 20\n[[faults.late]]\n"
                        "at_h = 1.0\nuntil_h = 1.5\nlate_s = 90\nnodes = \"carte\"")  # fmt: skip
    faults = build_world(loaded.scenario, home=loaded.home, seed=1).faults
    start_at = loaded.scenario.start_at

    assert [("restart", "", 1_800.0, 20.0), ("late", "carte-1", 3_600.0, 90.0),
            ("late", "carte-1", 5_400.0, 0.0)] == [
        (fault.kind, fault.node, fault.at - start_at, fault.value)
        for fault in faults if fault.kind in ("restart", "late") and fault.node in ("", "carte-1")
    ]  # fmt: skip


def test_the_same_seed_makes_the_same_demand() -> None:
    """Requests depend on the scenario and the seed alone."""
    loaded = small()

    def asked(seed: int) -> list[object]:
        return list(build_world(loaded.scenario, home=loaded.home, seed=seed).requests)

    assert asked(1) == asked(1)
    assert asked(1) != asked(2)


def test_demand_follows_its_rate() -> None:
    """Over a whole week the number of requests is what the clients send on average."""
    loaded = small(
        ("2025-01-14T13:00:00Z", "2025-01-13T05:00:00Z"),
        ("hours = 2.0", "hours = 168.0"),
        ("clients = 10", "clients = 40"),
    )
    count = sum(1 for _ in build_world(loaded.scenario, home=loaded.home, seed=1).requests)

    assert 0.97 < count / (40 * 60 * 7) < 1.03


def test_lines_are_found_in_inline_tables_by_their_table() -> None:
    """A key in an inline table is shown at the line of that table."""
    written = "[[nodes]]\nname = 1\nowner = { present = 2 }\n"

    assert 3 == find_line(written, ["nodes", 0, "owner", "present"])


SHEET = """\
name;device;count;coop;site;present;price_cad;dedicated;hours
mini;mac-mini-m4;3;alpha;ici;office;;;
carte;rtx-3060-12;1;beta;la-bas;;1 250,50;oui;mo-fr 18:00-08:00|sa,su 00:00-24:00
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_spreadsheet_is_read_as_programs_write_it(encoding: str, tmp_path: Path) -> None:
    """Windows-1252, a byte order mark, capitals and spaced thousands are accepted."""
    rows = "Name;Device ;count;coop;site;price_cad\r\nété;mac-mini-m4;2;alpha;ici;1 380,50\r\n"
    (tmp_path / "m.csv").write_bytes(rows.encode(encoding))
    loaded = parse_scenario(f'machines = "m.csv"\n{SMALL}', path="f.toml", home=tmp_path)

    assert ("été", 2, 1_380.5) == (
        loaded.scenario.nodes[-1].name,
        loaded.scenario.nodes[-1].count,
        loaded.scenario.nodes[-1].price_cad,
    )


def test_a_spreadsheet_of_machines_is_a_fleet(tmp_path: Path) -> None:
    """Rows become groups, as French spreadsheets write numbers too."""
    (tmp_path / "m.csv").write_text(SHEET.replace("1 250", "1250"), "utf-8")
    written = 'machines = "m.csv"\n' + re.sub(r"\[\[nodes\]\]\n(?:[^\n]+\n)+", "", SMALL)
    mini, card = parse_scenario(written, path="f.toml", home=tmp_path).scenario.nodes

    assert (3, "office", None, False) == (
        mini.count, mini.owner.present, mini.price_cad, mini.dedicated,
    )  # fmt: skip
    assert (1_250.5, True, ("mo-fr 18:00-08:00", "sa,su 00:00-24:00")) == (
        card.price_cad, card.dedicated, card.hours,
    )  # fmt: skip


BAD_SHEETS = {
    "unknown column": ("name,colour\nmini,red\n", "unknown_key", "m.csv:1"),
    "a word for a number": (
        "name,device,coop,site,count\nmini,mac-mini-m4,alpha,ici,trois\n", "bad_cell", "m.csv:2",
    ),
    "a cell beyond what a CSV reader takes": (
        "name,device,coop,site,count\n" + "x" * 131_073 + ",mac-mini-m4,alpha,ici,1\n",
        "bad_cell", "m.csv:2",
    ),
    "an unknown machine": (
        "name,device,coop,site\n\nm,mac-plus,alpha,ici\n", "unknown_name", "m.csv:3",
    ),
    "a cell left out": ("name,device,coop,site\nm,mac-mini-m4,alpha,\n", "missing_key", "m.csv:2"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_SHEETS)
def test_a_bad_spreadsheet_is_told_with_its_line(case: str, tmp_path: Path) -> None:
    """The file and line are the spreadsheet's."""
    content, fault, where = BAD_SHEETS[case]
    (tmp_path / "m.csv").write_text(content, "utf-8")
    problem = refusal(
        lambda: parse_scenario(f'machines = "m.csv"\n{SMALL}', path="f.toml", home=tmp_path)
    )
    sentences = [i18n.error(problem.code, lang, problem.values) for lang in ("fr", "en")]

    assert (fault, str(tmp_path / where)) == (problem.values["fault"], problem.values["path"])
    assert [] == [sentence for sentence in sentences if i18n.HOLE in sentence]


def test_every_number_of_a_scenario_has_a_limit() -> None:
    """No number of a scenario is so large that a sum or a product of it overflows."""
    unlimited = {
        (kind.__name__, name)
        for kind, ranges in scenario_validation.RANGES.items()
        for name, allowed in ranges.items()
        if allowed.high > 1e12
    }

    assert set() == unlimited


@pytest.mark.parametrize("number", ["1e308", "1" + 40 * "0"])
def test_a_number_that_is_too_large_names_its_limit(number: str) -> None:
    """A price a kilowatt-hour that makes a bill infinite is refused with line, key and limit."""
    problem = refusal(lambda: small(("tariff_cad_per_kwh = 0.1", f"tariff_cad_per_kwh = {number}")))
    sentences = [i18n.error(problem.code, lang, problem.values) for lang in i18n.LANGUAGES]

    assert ("most", "small.toml:20") == (problem.values["fault"], problem.values["path"])
    for sentence in sentences:
        assert "tariff_cad_per_kwh" in sentence
        assert "1000000000" in "".join(char for char in sentence if char not in ",\u202f\xa0 ")

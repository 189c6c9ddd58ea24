"""The examples in ``deploy/`` parse, and name only metrics that a process exposes."""

import json
import re
import subprocess

import pytest
from tests.cases import all_cases
from tests.house.source import ROOT

from entraide_scheduler.findings import WATCHED
from entraide_scheduler.gateway.jobs.metrics import GATEWAY_METRICS
from entraide_scheduler.metrics.finding_metrics import FINDING_METRICS
from entraide_scheduler.metrics.pool_metrics import POOL_METRICS
from entraide_scheduler.metrics.process_metrics import PROCESS_METRICS

DEPLOY = ROOT / "deploy"
RULES = (DEPLOY / "prometheus/rules.yaml", DEPLOY / "prometheus/findings.yaml")
BOARD = DEPLOY / "grafana/pool.json"
METRIC = re.compile(r"\bentraide_[a-z_]+")
LABELS = re.compile(r"\b(?:by|without) ?\(([^)]*)\)")
ANY_METRIC = {"le", "instance", "job"}  # labels of Prometheus' own

TABLES = (*POOL_METRICS, *FINDING_METRICS, *PROCESS_METRICS, *GATEWAY_METRICS)
SPECS = {spec.sample: spec for spec in TABLES}


def metric_of(name: str) -> str:
    """The metric of a series: a histogram has one series for its buckets, and two others."""
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return base if base in SPECS and SPECS[base].kind == "histogram" else name


def board_expressions() -> list[str]:
    """The queries of the board."""
    board = json.loads(BOARD.read_text("utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def rules() -> str:
    """The text of all rules."""
    return "".join(path.read_text("utf-8") for path in RULES)


def rule_expressions() -> list[str]:
    """The queries of the rules: the text after ``expr:`` up to the next key."""
    return re.findall(r"expr: (.*?)\n        (?:for|labels):", rules(), re.DOTALL)


@all_cases("query", [*rule_expressions(), *board_expressions()])
def test_each_query_names_metrics_and_labels_that_exist(query: str) -> None:
    """A metric that was renamed is renamed here, too."""
    names = {metric_of(name) for name in METRIC.findall(query)}
    labels = {label for name in names if name in SPECS for label in SPECS[name].labels}
    grouped = {label.strip() for group in LABELS.findall(query) for label in group.split(",")}

    assert names or query.startswith("up{")
    assert set() == names - SPECS.keys()
    assert set() == grouped - labels - ANY_METRIC


def test_each_rule_has_its_query() -> None:
    """No rule escapes the test above."""
    assert rules().count("- alert: ") == len(rule_expressions())


def test_each_watched_finding_has_an_alert() -> None:
    """What the running scheduler looks for has a rule with its remedy."""
    codes = re.findall(r'entraide_finding\{code="([a-z_-]+)"\}', rules())

    assert [kind.code for kind in WATCHED] == codes
    assert 'description: ""' not in rules()


def test_board_has_distinct_panels() -> None:
    """Each panel has an identifier, a title and a place of its own."""
    panels = json.loads(BOARD.read_text("utf-8"))["panels"]

    for key in ("id", "title", "gridPos"):
        assert len(panels) == len({str(panel[key]) for panel in panels})


def test_image_is_built_on_the_base_that_is_given() -> None:
    """The Containerfile names its base once, as an argument with a default."""
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    steps = [line.split(maxsplit=1) for line in text.splitlines() if re.match(r"(ARG|FROM) ", line)]

    assert ["ARG", "FROM"] == [step for step, _ in steps]
    assert steps[0][1].startswith("BASE=")
    assert "${BASE}" == steps[1][1]


@pytest.mark.needs("promtool")
def test_prometheus_accepts_the_rules() -> None:
    """Prometheus' own checker reads the rules; without it this test is left out."""
    checked = subprocess.run(
        ["promtool", "check", "rules", *RULES], capture_output=True, text=True, check=False
    )

    assert 0 == checked.returncode, checked.stderr

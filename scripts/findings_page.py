"""The findings' page of the reference, and Prometheus' alert rules for those that are watched.

Both are made from the registry of findings; `reference.py` writes them. The words of a rule are the
finding's, with `…` for each value.
"""

from __future__ import annotations

import json

from entraide import i18n
from entraide_scheduler.findings import KINDS, WATCHED, Kind, Severity

PAGE = """\
# Findings

Made from the code by `python scripts/reference.py`; do not edit.

What can be wrong with a pool, each kind with a stable code. `entraide pool doctor DIR` and the
first part of the operator's page name what is found now, with its remedy in the reader's language.
The running scheduler looks for those that have an alert itself, every five seconds: it knows since
when each one is there, and shows it for a minute at least. They are values of the metric
`entraide_finding`, and [`deploy/prometheus/findings.yaml`](../../deploy/prometheus/findings.yaml)
has an alert for each; the time says how long it lasts before the alert fires. The others are found
when the doctor runs. What fails keeps the pool from working, or harms it.

| code | level | alert after | what is said | remedy |
|---|---|---|---|---|
"""
RULES = """\
# Alerts on the findings of the running scheduler. Made from the code by
# `python scripts/reference.py`; do not edit. `entraide pool doctor DIR` and the operator's page
# have the names and figures.
groups:
  - name: entraide-findings
    rules:
"""
RULE = """\
      - alert: {name}
        expr: max by (code) (entraide_finding{{code="{code}"}}) == 1
        for: {after}
        labels: {{severity: {severity}}}
        annotations:
          summary: {summary}
          description: {description}
"""
SEVERITIES = {Severity.FAIL: "critical", Severity.WARN: "warning"}


def findings_page() -> str:
    """Returns the page of the findings."""
    rows = (
        f"| `{kind.code}` | {kind.severity} | {kind.alert_after} | {words(kind, '')} "
        f"| {words(kind, '.remedy')} |\n"
        for kind in KINDS.values()
    )
    return PAGE + "".join(rows)


def alert_rules() -> str:
    """Returns the file of the rules."""
    return RULES + "".join(map(alert_rule, WATCHED))


def alert_rule(kind: Kind) -> str:
    """Returns the rule of a kind."""
    return RULE.format(
        name="".join(word.capitalize() for word in kind.code.replace("_", "-").split("-")),
        code=kind.code,
        after=kind.alert_after,
        severity=SEVERITIES[kind.severity],
        summary=json.dumps(words(kind, ""), ensure_ascii=False),
        description=json.dumps(words(kind, ".remedy"), ensure_ascii=False),
    )


def words(kind: Kind, part: str) -> str:
    """Returns the English sentence or remedy of a kind; "" for that of an error of its own."""
    code = f"pool-doctor-{kind.code}{part}"
    if not i18n.has_message(code):
        return ""
    values = dict.fromkeys(i18n.value_names(code), "…")
    return " ".join(i18n.text(code, "en", **values).split())

"""Writes the reference pages that are made from the code, or checks that they are up to date.

    python scripts/reference.py            writes the pages
    python scripts/reference.py --check    exits 1 and names the pages that differ

Sources of the pages in `docs/reference`: `errors.md` from the table of stable codes and the
message catalogue; `explanations.md` from the catalogue, with example values; `cli.md` from the
command line; `metrics.md` from the tables of metrics; `node-limits.md` from the scheduler's table
of bounds; `limits.md` from the constants of all modules (`limits_page.py`); `hardware.md` from the
reports of machines (`hardware_page.py`); `http.md` and `http.fr.md` from the tables of the gateway
(`http_reference.py`). In
`docs/concepts/decisions.md` only the table of the placement rules is made, between
`<!-- table: rules -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import runpy
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from itertools import groupby
from pathlib import Path
from typing import Any

from entraide import i18n, relative_time
from entraide.cli.app import root_command
from entraide.errors import CODES
from entraide.metrics import MetricSpec
from entraide_node.metrics_server import NODE_METRICS
from entraide_scheduler.core.rules import RULES, Rule
from entraide_scheduler.gateway.jobs.metrics import GATEWAY_METRICS
from entraide_scheduler.metrics.finding_metrics import FINDING_METRICS
from entraide_scheduler.metrics.pool_metrics import COOPS_SHOWN_MAX, OTHER_COOPS, POOL_METRICS
from entraide_scheduler.metrics.process_metrics import PROCESS_METRICS
from entraide_scheduler.node_validation import bounds, rate_limits

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs/reference"
DECISIONS = ROOT / "docs/concepts/decisions.md"
RULES_BLOCK = re.compile(r"(<!-- table: rules -->\n).*?(<!-- end -->)", re.DOTALL)
HTTP_PAGE = ROOT / "scripts/http_reference.py"
LIMITS_PAGE = ROOT / "scripts/limits_page.py"
FINDINGS_PAGE = ROOT / "scripts/findings_page.py"
HARDWARE_PAGE = ROOT / "scripts/hardware_page.py"
HIDDEN = {"--help"}

METRICS: dict[str, tuple[MetricSpec, ...]] = {
    "The pool, from the scheduler": (*POOL_METRICS, *FINDING_METRICS),
    "Each scheduler and gateway process": PROCESS_METRICS,
    "Each gateway, also the one inside the scheduler": GATEWAY_METRICS,
    "Each node agent, on loopback": NODE_METRICS,
}

ERRORS_HEAD = """\
# Errors

Made from the code by `python scripts/reference.py`; do not edit.

Every refusal has a stable code. Over HTTP it has OpenAI's error format, in the language of
`Accept-Language`; without one, in English, with the pool's language beside it. `Retry-After` is
there if the time of a useful retry is known, `x-should-retry: false` if none is of use,
or the request has waited as long as it may:

```json
{"error": {"message": "…", "message_fr": "…", "type": "insufficient_quota", "param": null,
           "code": "quota_tokens"}}
```

Over gRPC the code is the `reason` of a `google.rpc.ErrorInfo` in the status details (domain
`entraide`; `job` and the values of the sentence are its metadata), the wait is a
`google.rpc.RetryInfo`, and the sentence beside English a `google.rpc.LocalizedMessage`. The
Python clients raise `entraide.errors.RequestError` (the caller must
change something; `AuthenticationError`, `NotFoundError` and `QuotaError` are its subclasses),
`PoolError` (the pool failed) or `PoolUnreachable`, each with `code`, `job`, `retryable` and
`retry_after_s`.

*Retry*: whether the same request may succeed later, unchanged. The sentences below are the
shortest form; known numbers and names are added.

| code | HTTP | gRPC | retry | in English | en français |
|---|---|---|---|---|---|
"""

REASONS_HEAD = """\
# Explanations

Made from the code by `python scripts/reference.py`; do not edit.

`entraide jobs explain ID`, `GET /v1/jobs/{id}/explanation` and gRPC `Pool.Explain` return for a
job: the decision (`placed`, `waiting`, `deferred` or `refused`) and the machine's co-op, the
reason, the numbers with their units, and what would have changed the decision. The stored facts
are codes and values; the sentences are made from them in French or in English at each request.

A value's name ends with its unit: `_g` (of CO2 equivalent), `_g_per_kwh`, `_wh`, `_w`, `_s`,
`_tokens`. Values in `_at` are times, in seconds since the epoch; a text gives them relative to
the decision ("in about 3 h"), which is true in every time zone, and
`entraide jobs explain` adds the time of day on the reader's own clock. A missing value shows as
⟨?⟩.

The sentences below contain example values; *in italics*: what would have changed the decision.

## Reasons

A refused job's reason is an [error code](errors.md); all other reasons are these. `next_…` is the
best of the other nodes that could have run the job. `could_node` is a node that only one condition
excluded, [as the core has checked](../concepts/decisions.md#counterfactuals): an excluded node
with its rule, or `greener_…`, a node that would have emitted less, with `greener_rule`.
`obstacle_…` is the node that would have emitted least of all that serve the model, with the first
rule that kept the job from it (`obstacle_rule`), where no other value names it.

| code | values | in English | en français |
|---|---|---|---|
"""

RULES_HEAD = """
## Rules

Why a machine was excluded; the machine is the subject of the sentence.

| code | values | in English | en français |
|---|---|---|---|
"""

# Values that a message computes from the others.
COMPUTED = frozenset(
    {"example_node", "example_coop", "example_zone", "next_how", "objective_s", "others"}
)

# Example values: for any sentence, and for codes that use a name in another sense.
EXAMPLE: dict[str, i18n.Value] = {
    "ahead": 1,
    "asked_control": "member",
    "cap_tokens": 16_384,
    "carbon_g": 0.12,
    "controlled_by": "canadian",
    "coop": "soleil",
    "coops_ahead": 2,
    "data_class": "restricted",
    "in_flight_tokens": 15_872,
    "jurisdiction": "CA-QC",
    "left": 0.5,
    "left_g": 0.01,
    "left_wh": 0.5,
    "lent": 2,
    "limit": 2,
    "limit_wh": 500,
    "model": "petit",
    "needed": 0.82,
    "needed_g": 0.25,
    "needed_wh": 0.82,
    "next_carbon_g": 0.2,
    "next_node": "qc-1",
    "nodes": 3,
    "now_g_per_kwh": 92.0,
    "objective_s": 2.0,
    "others": 3,
    "slots": 2,
    "then_g_per_kwh": 38.0,
    "then_zone": "CA-ON",
    "ttft_s": 0.4,
    "zone": "CA-ON",
}
EXAMPLES: dict[str, dict[str, i18n.Value]] = {
    "carbon_cap": {"max_carbon_ug": 100_000},
    "context_too_small": {"context_tokens": 4_096, "needed_tokens": 6_000},
    "feature_missing": {"features": "tools"},
    "fastest_at_risk": {"late_for": "first_word", "ttft_s": 2.4, "ttft_upper_s": 3.1},
    "greener_later": {"signal": "forecast"},
    "not_accepting": {"reason": "paused"},
    "over_carbon_cap": {"max_carbon_ug": 100_000},
    "probing": {"failure": "engine_failed"},
    "resting": {"failure": "engine_failed"},
    "model_loading": {"node": "on-1"},
    "model_making_room": {"node": "on-1"},
    "model_resting": {"failure": "load_no_room"},
    "promise_at_risk": {"greener_ttft_upper_s": 3.1},
}
RULE_VALUES = {rule.code: rule.example.values for rule in RULES}
EXAMPLE_TIMES_S = {"then_at": 32_400.0, "latest_start_at": 72_000.0, "issued_at": -7_200.0,
                   "ends_at": 9_000.0, "again_at": 20.0, "last_seen_at": -5.0}  # fmt: skip

CLI_HEAD = """\
# Command line

Made from the code by `python scripts/reference.py`; do not edit. `entraide --lang fr … --help`
says the same in French.

A command uses the pool of `--state DIR`; else the one at `ENTRAIDE_URL` (with
`ENTRAIDE_KEY`, for the operator `ENTRAIDE_ADMIN_KEY`, and `ENTRAIDE_CA`, a file, for a pool with
its own certificate authority); else the pool that runs on this machine. `--lang fr|en` may
be anywhere; without it `ENTRAIDE_LANG` decides, then the locale (`LC_ALL`, `LC_MESSAGES`, `LANG`),
then it is French. Exit status: 0 success, 1 refused or failed (one sentence on the error output),
2 wrong usage, 130 interrupted.
"""


def errors_page() -> str:
    """Returns the page of stable codes."""
    lines = [ERRORS_HEAD]
    for code, facts in CODES.items():
        again = "yes" if facts.retryable else "no"
        english, french = (i18n.error(code, lang).replace("\n", " ") for lang in ("en", "fr"))
        lines.append(
            f"| `{code}` | {facts.http} | {facts.grpc} | {again} | {english} | {french} |\n"
        )
    return "".join(lines)


def sentences(prefix: str, code: str, lang: str) -> str:
    """Returns the sentence of a code, and the one on what would have changed the decision."""
    times = {
        name: relative_time.format_time(away, lang, at=0.0)
        for name, away in EXAMPLE_TIMES_S.items()
    }
    values = {**EXAMPLE, **times, **EXAMPLES.get(code, {})}
    if prefix == "rule":
        values |= RULE_VALUES.get(code, {})
    sentence = i18n.text(f"{prefix}-{code}", lang, **values)
    undone = f"{prefix}-{code}.otherwise"
    if i18n.has_message(undone):
        sentence += f" *{i18n.text(undone, lang, **values)}*"
    return sentence.replace("|", "\\|")


def explanations_page() -> str:
    """Returns the page of reasons and rules."""
    lines = []
    for prefix, head in (("reason", REASONS_HEAD), ("rule", RULES_HEAD)):
        lines.append(head)
        for code in i18n.message_codes(f"{prefix}-"):
            names = i18n.value_names(f"{prefix}-{code}") | i18n.value_names(
                f"{prefix}-{code}.otherwise"
            )
            values = ", ".join(f"`{name}`" for name in sorted(names - COMPUTED))
            english, french = (sentences(prefix, code, lang) for lang in ("en", "fr"))
            lines.append(f"| `{code}` | {values} | {english} | {french} |\n")
    return "".join(lines)


RULES_TABLE = """\
| rule | a node is excluded if | can waiting help |
|---|---|---|
"""


def rules_table() -> str:
    """Returns the table of the placement rules; neighbours with the same condition share a row."""

    def row_of(rule: Rule) -> tuple[str, bool]:
        return rule.excluded_if, rule.waiting_helps

    rows = [RULES_TABLE]
    for (excluded_if, waiting_helps), group in groupby(RULES, key=row_of):
        codes = ", ".join(f"`{rule.code}`" for rule in group)
        rows.append(f"| {codes} | {excluded_if} | {'yes' if waiting_helps else 'no'} |\n")
    return "".join(rows)


def decisions_page() -> str:
    """Returns the page of the decisions, with the table of the rules made again."""
    page = DECISIONS.read_text("utf-8")
    return RULES_BLOCK.sub(lambda block: block[1] + rules_table() + block[2], page)


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yields every command that is not a group or hidden, with its path, in alphabetical order."""
    if command.hidden:
        return
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name in sorted(command.list_commands(None)):
        yield from commands(command.get_command(None, name), f"{path} {name}")


def option_line(option: Any) -> str:
    """Returns the line of one option."""
    value = "" if getattr(option, "is_flag", False) else f" {option.metavar or option.name.upper()}"
    return f"- `{option.opts[0]}{value}`" + (f": {option.help}" if option.help else "")


def cli_page() -> str:
    """Returns the page of the command line."""
    lines = [CLI_HEAD]
    for path, command in commands(root_command("en"), "entraide"):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        names = "".join(f" {p.metavar or p.name.upper()}" for p in arguments)
        lines.append(f"\n## {path}\n\n`{path}{names}`\n\n{command.help or ''}\n\n")
        shown = [p for p in options if p.opts[0] not in HIDDEN and not p.hidden]
        lines.extend(f"{option_line(option)}\n" for option in shown)
    return "".join(lines)


LIMITS_HEAD = """\
# What a node may send

Made from the code by `python scripts/reference.py`; do not edit.

The scheduler and the gateways check each message of a node against these limits. A number must also
be finite. A message beyond a limit is dropped and counted (`node.out_of_bounds`,
`node.too_large`, `node.too_many`, `node.undecodable`); the log names the field once per node. The
numbers of `Usage` are clipped instead, because a run that has ended must be settled; the core then
limits them to what the lease granted.

Outside the runs that it holds, a node may send {rate:.0f} control messages a second (at most
{burst:.0f} at once; a message counts as one more for each {part} KiB), and {run:.0f} a second for
each run that it holds.

## Size of a message

| tag | bytes |
|---|---|
"""


def bound_words(bound: bounds.Bound) -> tuple[str, str]:
    """Returns a bound in words, and its reason."""
    match bound:
        case bounds.NumberBound():
            words = f"{bound.low:,} to {bound.high:,}"
        case bounds.TextBound():
            free = "" if bound.free else ", no control characters"
            form = f" in the form `{bound.form}`" if bound.form else ""
            words = f"at most {bound.chars:,} characters{form or free}"
        case bounds.BytesBound():
            words = f"at most {bound.size:,} bytes"
        case bounds.ListBound():
            inner = ", ".join(bound_words(item)[0] or item.why for item in bound.items)
            words = f"at most {bound.count:,}, each: {inner}"
        case bounds.ValuesBound():
            number, text = bound_words(bound.number)[0], bound_words(bound.text)[0]
            words = (
                f"at most {bound.count}, names of at most {bound.name_chars} characters; "
                f"numbers {number}; texts {text}"
            )
        case _:
            words = ""
    return words, bound.why


def limits_page() -> str:
    """Returns the page of the limits on a node's messages."""
    lines = [
        LIMITS_HEAD.format(
            rate=rate_limits.MESSAGES_PER_S,
            burst=rate_limits.BURST,
            part=rate_limits.BYTES_PER_MESSAGE // 1024,
            run=rate_limits.RUN_MESSAGES_PER_S,
        )
    ]
    sizes = {**bounds.CONTROL_BYTES, **bounds.ANSWER_BYTES}
    lines += [f"| `{tag}` | {size:,} |\n" for tag, size in sizes.items()]
    for struct, fields in bounds.BOUNDS.items():
        lines.append(f"\n## {struct.__name__}\n\n| field | limit | what it is |\n|---|---|---|\n")
        for name, bound in fields.items():
            words, why = bound_words(bound)
            lines.append(f"| `{name}` | {words} | {why} |\n")
    lines.append("\n## Products\n\n| of a replica | limit | what it is |\n|---|---|---|\n")
    for product in bounds.DERIVED_BOUNDS:
        lines.append(
            f"| {product.formula} | {product.low:,} to {product.high:,} | {product.why} |\n"
        )
    return "".join(lines)


METRICS_HEAD = """\
# Metrics

Made from the code by `python scripts/reference.py`; do not edit.

`GET /metrics` of a scheduler or gateway is a page in Prometheus' text format. It names co-ops,
models and routes, and never a prompt, an answer, an API key, a node or a person; but it counts who
is there. So it is for programs on the same machine, and from elsewhere, or through a proxy that
sets `X-Forwarded-For` or `Forwarded`, for those that send an API key of the pool.
A counter restarts at 0 with its process; use `rate()` or `increase()`.

A node agent serves its own metrics on loopback only, where its owner sets a port ([metrics] in
[`node.toml`](node.md#metrics)).

Every label has a bounded number of values: at most {coops} co-ops by name, the others as
`{others}`; models with which the pool has answered; codes and states of the program.
[`deploy/`](../../deploy/README.md) has rules for Prometheus and a board for Grafana.
"""

METRICS_TABLE = """
## {title}

| metric | type | labels | meaning |
|---|---|---|---|
"""


def metrics_page() -> str:
    """Returns the page of the metrics."""
    lines = [METRICS_HEAD.format(coops=COOPS_SHOWN_MAX, others=OTHER_COOPS)]
    for title, specs in METRICS.items():
        lines.append(METRICS_TABLE.format(title=title))
        for spec in specs:
            labels = ", ".join(f"`{name}`" for name in spec.labels)
            lines.append(f"| `{spec.sample}` | {spec.kind} | {labels} | {spec.text} |\n")
    return "".join(lines)


def pages() -> dict[Path, str]:
    """Returns each page's path and text."""
    http_page = runpy.run_path(str(HTTP_PAGE))["http_page"]
    all_limits_page = runpy.run_path(str(LIMITS_PAGE))["limits_page"]
    findings = runpy.run_path(str(FINDINGS_PAGE))
    hardware_page = runpy.run_path(str(HARDWARE_PAGE))["hardware_page"]
    return {
        DECISIONS: decisions_page(),
        PAGES / "errors.md": errors_page(),
        PAGES / "explanations.md": explanations_page(),
        PAGES / "cli.md": cli_page(),
        PAGES / "http.md": http_page("en"),
        PAGES / "http.fr.md": http_page("fr"),
        PAGES / "metrics.md": metrics_page(),
        PAGES / "node-limits.md": limits_page(),
        PAGES / "limits.md": all_limits_page(),
        PAGES / "hardware.md": hardware_page(),
        PAGES / "findings.md": findings["findings_page"](),
        ROOT / "deploy/prometheus/findings.yaml": findings["alert_rules"](),
    }


def find_missing_commands() -> list[str]:
    """Returns the entry points of ``pyproject.toml`` that differ from the environment's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    written = {(group, name, at) for group, rows in groups.items() for name, at in rows.items()}
    installed = {
        (point.group, point.name, point.value)
        for point in distribution(project["name"]).entry_points
    }
    return sorted(f"{group}: {name}" for group, name, _ in written ^ installed)


def main() -> int:
    """Writes the pages, or prints those that differ; returns the exit status."""
    missing = find_missing_commands()
    if missing:  # a command without its entry point would be missing on its page
        print(f"run `make env` first; the environment differs from pyproject.toml in {missing}")
        return 1
    if "--check" not in sys.argv[1:]:
        for path, text in pages().items():
            path.write_text(text, "utf-8")
        return 0
    old = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    for path in old:
        print(f"{path.relative_to(ROOT)} differs: run python scripts/reference.py")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())

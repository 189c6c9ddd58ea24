"""Report: the result of simulations as one HTML file.

Input: results of simulations, and what was asked. Output: a page with its pictures.

How to write one::

    write_report(Path("out/report.html"), [result])
    write_report(path, results, chosen=3, goals=["ttft_s.p95<=2"])   # a plan

A report holds, in this order: the reader's questions with their answers, key figures, money and
emissions of a year, charts, the fleet, the assumptions with the basis of each, and how to
reproduce the run.

``page`` writes it, by the ``context`` of what was asked. ``report_data`` has its figures,
``measures`` their names, ``formatting`` their form; ``question_answers``, ``summary_text`` and
``money_tables`` say them. ``chart`` is a picture with its table, drawn as ``svg``: ``day_charts``,
``latency_chart``, ``pareto_chart`` and ``share_chart``.
"""

from entraide_sim.report import formatting
from entraide_sim.report.context import ADVICE, PLAN, REPLAY, ReportContext, TextTable
from entraide_sim.report.measures import FormatValue, format_interval
from entraide_sim.report.page import write_report
from entraide_sim.report.report_data import has_year, is_owned, without_year

__all__ = [
    "ADVICE",
    "PLAN",
    "REPLAY",
    "FormatValue",
    "ReportContext",
    "TextTable",
    "format_interval",
    "formatting",
    "has_year",
    "is_owned",
    "without_year",
    "write_report",
]

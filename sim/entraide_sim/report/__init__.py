"""Report: the result of simulations as one HTML file.

How to write one::

    write_report(Path("out/report.html"), [result])
    write_report(path, results, chosen=3, goals=["ttft_s.p95<=2"])   # a plan

A report holds, in this order: the reader's questions with their answers, key figures, money and
emissions of a year, charts, the fleet, the assumptions with the basis of each, and how to
reproduce the run.
"""

from entraide_sim.report.context import ReportContext
from entraide_sim.report.page import write_report

__all__ = ["ReportContext", "write_report"]

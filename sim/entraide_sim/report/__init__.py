"""Report: what a simulation says to a board, as one HTML file.

How to write one::

    write_report(Path("out/report.html"), [result])
    write_report(path, results, chosen=3, goals=["ttft_s.p95<=2"])   # a plan

Decides what a report holds and in which order: the answer in three sentences, the key figures,
pictures, the fleet, the assumptions with how each was obtained, and what makes the same bytes
again. It refuses to run anything.
"""

from entraide_sim.report.page import write_report

__all__ = ["write_report"]

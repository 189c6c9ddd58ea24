"""Output: results in the terminal and in files.

Input: results, plans and comparisons. Output: tables and JSON.

``cli_output`` prints, ``output_files`` writes.
"""

from entraide_sim.output import cli_output, output_files
from entraide_sim.output.cli_output import print_report_path

__all__ = [
    "cli_output",
    "output_files",
    "print_report_path",
]

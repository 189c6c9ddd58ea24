"""Files: tables and TOML, read with the place of each fault.

Input: text. Output: rows and values, or an error that names the line; and TOML.

``csv_rows`` reads tables, ``toml_lines`` finds the line of a key, ``toml_writer`` writes.
"""

from entraide_sim.files.csv_rows import (
    NUMBER_MAX,
    cell_separator,
    numbered_rows,
    parse_moment,
    parse_number,
    read_hours,
)
from entraide_sim.files.toml_lines import find_line
from entraide_sim.files.toml_writer import scenario_toml

__all__ = [
    "NUMBER_MAX",
    "cell_separator",
    "find_line",
    "numbered_rows",
    "parse_moment",
    "parse_number",
    "read_hours",
    "scenario_toml",
]

"""Value faults: an invalid value of a configuration, as a fault of the file's form.

The sentences are those of ``entraide.form_faults``, in the locale files (``error-config_refused``).
"""

import math
from collections.abc import Iterable

from entraide.form_faults import VALUE_CHARS_MAX, FormFault
from entraide.printable import shortened

Value = str | int | float


def value_fault(key: str, value: Value, fault: str) -> FormFault:
    """Returns the fault of a key, with its value.

    >>> value_fault("smtp.port", 0, "port_range").sentence_values
    {'value': 0, 'key': 'smtp.port', 'fault': 'port_range'}
    """
    return FormFault(tuple(key.split(".")), fault, {"value": _shown(value)})


def range_fault(key: str, value: Value, low: float, high: float) -> FormFault:
    """Returns the fault of a number that is not from ``low`` to ``high``, which may be infinite."""
    values: dict[str, Value] = {"value": _shown(value), "low": f"{low:g}", "high": f"{high:g}"}
    fault = "least" if math.isinf(high) else "number_range"
    return FormFault(tuple(key.split(".")), fault, values)


def choice_fault(key: str, value: str, choices: Iterable[str]) -> FormFault:
    """Returns the fault of a word that is not one of those that are possible."""
    values: dict[str, Value] = {"value": _shown(value), "choices": ", ".join(choices)}
    return FormFault(tuple(key.split(".")), "not_one_of", values)


def _shown(value: Value) -> Value:
    if isinstance(value, float):
        return f"{value:g}"
    return shortened(value, VALUE_CHARS_MAX) if isinstance(value, str) else value

"""Grid: the intensities of zones and the generation of sites, by the hour.

Input: files of series, or their parameters. Output: values at a time, and events when they change.

``grid`` has the zones' intensities and forecasts, ``solar_power`` the sites' own generation.
"""

from entraide_sim.grid import solar_power
from entraide_sim.grid.grid import (
    DAY_H,
    FORECAST_ERROR_PART,
    HOUR_S,
    Grid,
    IntensitySeries,
    PublishedForecast,
    constant_series,
    forecast_error_part,
    read_forecasts,
    read_series,
    scale_forecast_error,
    step_value,
    synthetic_forecasts,
    synthetic_series,
)

__all__ = [
    "DAY_H",
    "FORECAST_ERROR_PART",
    "HOUR_S",
    "Grid",
    "IntensitySeries",
    "PublishedForecast",
    "constant_series",
    "forecast_error_part",
    "read_forecasts",
    "read_series",
    "scale_forecast_error",
    "solar_power",
    "step_value",
    "synthetic_forecasts",
    "synthetic_series",
]

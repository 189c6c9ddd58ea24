"""Solar power: hourly generation of panels from latitude, season and random clouds.

Sun position: declination and equation of time by Spencer 1971 (*Search* 2). Clear-sky horizontal
irradiance: Haurwitz 1945 (*Journal of Meteorology* 2). Beam and diffuse parts: Erbs et al. 1982
(*Solar Energy* 28). Tilt with an isotropic sky: Liu and Jordan 1963 (*Solar Energy* 7). Clouds: an
AR(1) process of the clearness. Losses of panels and inverter: 14 % (PVWatts' default). Against
pvlib 0.16 (Haurwitz, Erbs, isotropic sky) over a year in Montréal: horizontal irradiance 0.3 %
higher, tilted 0.7 % higher, solar elevation within 0.33 degrees.
"""

from math import cos, exp, pi, radians, sin

from entraide_sim.grid.grid import HOUR_S
from entraide_sim.workload import make_rng

LOSSES = 0.14
SOLAR_W_PER_M2 = 1_367.0
ALBEDO = 0.2
CLOUD_PERSISTENCE = 0.8  # autocorrelation of the clearness from hour to hour
CLOUD_DEVIATION = 0.3
DAY_S = 86_400.0
YEAR_DAYS = 365.25


def clear_sky(
    moment: float, *, latitude: float, longitude: float
) -> tuple[float, float, float, float]:
    """Returns the clear-sky irradiance and the position of the sun at a moment.

    Returns:
        Horizontal irradiance (W/m2), sine of the solar elevation, declination and hour angle
        (radians).
    """
    day = (moment / DAY_S) % YEAR_DAYS
    angle = 2.0 * pi * day / YEAR_DAYS
    declination = (
        0.006918 - 0.399912 * cos(angle) + 0.070257 * sin(angle) - 0.006758 * cos(2 * angle)
        + 0.000907 * sin(2 * angle) - 0.002697 * cos(3 * angle) + 0.00148 * sin(3 * angle)
    )  # fmt: skip
    equation_min = 229.18 * (
        0.000075 + 0.001868 * cos(angle) - 0.032077 * sin(angle)
        - 0.014615 * cos(2 * angle) - 0.040849 * sin(2 * angle)
    )  # fmt: skip
    solar_h = (moment % DAY_S) / HOUR_S + longitude / 15.0 + equation_min / 60.0
    hour_angle = radians(15.0 * (solar_h - 12.0))
    latitude_rad = radians(latitude)
    height = sin(latitude_rad) * sin(declination) + cos(latitude_rad) * cos(declination) * cos(
        hour_angle
    )
    if height <= 0.0:
        return 0.0, height, declination, hour_angle
    return 1_098.0 * height * exp(-0.057 / height), height, declination, hour_angle


def panel_power_w(
    moment: float,
    *,
    peak_kw: float,
    latitude: float,
    longitude: float,
    tilt_deg: float,
    clearness: float,
) -> float:
    """Returns the power of south-facing panels at a moment, watts.

    Args:
        moment: seconds since the epoch.
        peak_kw: rated power, at 1,000 W/m2.
        latitude: degrees north.
        longitude: degrees east (west is negative).
        tilt_deg: from the horizontal.
        clearness: part of the clear-sky irradiance.
    """
    clear, height, declination, hour_angle = clear_sky(
        moment, latitude=latitude, longitude=longitude
    )
    level = clear * clearness
    if level <= 0.0:
        return 0.0
    sky = level * _diffuse_part(level / (SOLAR_W_PER_M2 * height))
    tilt, latitude_rad = radians(tilt_deg), radians(latitude)
    incidence = sin(latitude_rad - tilt) * sin(declination) + cos(latitude_rad - tilt) * cos(
        declination
    ) * cos(hour_angle)
    # The ratio diverges at the horizon, where Haurwitz' irradiance is almost 0.
    beam = (level - sky) * max(0.0, incidence) / max(height, 0.05)
    tilted = beam + sky * (1.0 + cos(tilt)) / 2.0 + level * ALBEDO * (1.0 - cos(tilt)) / 2.0
    return min(peak_kw, peak_kw * tilted / 1_000.0 * (1.0 - LOSSES)) * 1_000.0


def _diffuse_part(clearness: float) -> float:
    """Returns the diffuse part of the irradiance (Erbs et al. 1982)."""
    k = clearness
    if k <= 0.22:
        return 1.0 - 0.09 * k
    if k <= 0.8:
        return 0.9511 - 0.1604 * k + 4.388 * k**2 - 16.638 * k**3 + 12.336 * k**4
    return 0.165


def cloud_clearness(hours: int, *, clearness: float, seed: int, number: int) -> list[float]:
    """Returns the random part of the clear-sky irradiance that passes the clouds, by hour."""
    shocks = make_rng(seed, 4, number).normal(0.0, 1.0, hours).tolist()
    clearness_by_hour, deviation = [], 0.0
    for shock in shocks:
        deviation = CLOUD_PERSISTENCE * deviation + (1.0 - CLOUD_PERSISTENCE**2) ** 0.5 * shock
        clearness_by_hour.append(max(0.05, min(1.0, clearness + CLOUD_DEVIATION * deviation)))
    return clearness_by_hour

"""Config: decodes one TOML file into one frozen struct; unknown keys are refused.

The config may contain the policy's first version (``[[coops]]``, or a ``policy_file``). It is used
only if the store contains no policy; the members make the later versions.
"""

import math
import re
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, ValidationError

from entraide.decoding import decode_toml
from entraide.errors import PoolError
from entraide.form_faults import FormFault, find_form_fault
from entraide.i18n import LANGUAGES
from entraide.wire.nats import requires_tls
from entraide_scheduler.config.books_config import GRACE_DAYS_MAX, GRACE_DAYS_MIN, BooksConfig
from entraide_scheduler.config.http_limits import HttpLimits
from entraide_scheduler.config.place_config import ZONE, PlaceConfig
from entraide_scheduler.config.signin_config import OidcConfig, SmtpConfig, find_signin_fault
from entraide_scheduler.config.value_faults import choice_fault, range_fault, value_fault
from entraide_scheduler.core.policy import CoopTerms, Policy, PolicyFault
from entraide_scheduler.policy_versions.documents import find_all_faults, read_file
from entraide_scheduler.store.journal import Retention

CONFIG_BYTES_MAX = 1024 * 1024
POOL_FILE = "pool.toml"
ZONES_MAX = 64
INTERVAL_MIN_S = 60.0
HORIZON_MAX_H = 72

T = TypeVar("T", bound=Struct)


class NatsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses of the bus.

    Attributes:
        urls: addresses that the scheduler uses.
        node_urls: addresses given to nodes that join; ``urls`` if empty.
        ca_file: PEM of the CA that signed the bus's certificate; "" without TLS.
    """

    urls: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    node_urls: tuple[str, ...] = ()
    ca_file: str = ""


class ListenConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The address on which a server listens, and its ``public`` address if they differ."""

    host: str = "127.0.0.1"
    port: int = 0
    public: str = ""


class HttpConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The HTTP server: where it listens, which proxies it trusts, and its limits.

    Attributes:
        host, port, public: as in ``ListenConfig``.
        trusted_proxies: addresses and networks of the proxies in front of the server. The client's
            address comes from ``X-Forwarded-For`` or ``Forwarded`` only if such a proxy sent it.
        limits: limits per connection, address and key.
        plain: whether HTTP stays unencrypted although ``[tls]`` is set, because a proxy in front
            ends TLS; only on loopback.
        cert_file, key_file: certificate of HTTP alone; "" for that of ``[tls]``.
        bus_port: port on loopback of the bus's WebSocket, to which ``/bus`` leads; 0 for none.
        cors_origins: origins (``https://chat.example.org``) whose pages may read answers.
    """

    host: str = "127.0.0.1"
    port: int = 0
    public: str = ""
    trusted_proxies: tuple[str, ...] = ()
    limits: HttpLimits = HttpLimits()
    plain: bool = False
    cert_file: str = ""
    key_file: str = ""
    bus_port: int = 0
    cors_origins: tuple[str, ...] = ()

    @property
    def fault(self) -> FormFault | None:
        """The first invalid value; None without one."""
        for origin in self.cors_origins:
            if not is_origin(origin):
                return value_fault("http.cors_origins", origin, "no_origin")
        for name in self.trusted_proxies:
            if not _is_network(name):
                return value_fault("http.trusted_proxies", name, "no_network")
        return self.limits.fault


def is_origin(text: str) -> bool:
    """Whether a text is the origin of web pages as a browser sends it (RFC 6454, 6.1).

    >>> is_origin("https://chat.example.org"), is_origin("http://localhost:5173")
    (True, True)
    >>> is_origin("*"), is_origin("https://chat.example.org/"), is_origin("https://u@chat.coop")
    (False, False, False)
    """
    try:
        parts = urlsplit(text)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return False
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and "*" not in text
    return is_web and text == f"{parts.scheme}://{parts.hostname}{port}"


class TlsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Certificates of the HTTP and gRPC servers.

    Attributes:
        hosts: names and addresses for which the pool's own CA makes a certificate.
        ca_file, cert_file, key_file: files of another CA, used instead of the pool's.
    """

    hosts: tuple[str, ...] = ()
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    @property
    def is_set(self) -> bool:
        """Whether the HTTP and gRPC servers use TLS."""
        return bool(self.hosts or self.cert_file)


class SeriesConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """An hourly series of a zone's intensity, as CSV with a ``utc`` column.

    Attributes:
        zone: name of the zone.
        file: path, relative to the config file.
        column, lifecycle_column: columns with direct and life-cycle gCO2e/kWh.
        year_shift: years added to the file's hours, to replay an earlier year.
    """

    zone: str
    file: str
    column: str = "ci_direct_g_per_kwh"
    lifecycle_column: str = "ci_lifecycle_g_per_kwh"
    year_shift: int = 0


class ForecastConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Hourly forecasts of a zone, as CSV with ``issued_utc`` and ``utc`` columns.

    Attributes:
        zone: name of the zone.
        file: path, relative to the config file.
        column: column with direct gCO2e/kWh.
        lifecycle_column: column with life-cycle gCO2e/kWh; "" when there is none.
        year_shift: years added to the file's times, to replay an earlier year.
    """

    zone: str
    file: str
    column: str = "forecast_ci_direct_g_per_kwh"
    lifecycle_column: str = ""
    year_shift: int = 0


class ElectricityMapsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Zones whose hourly intensity comes from Electricity Maps' API.

    Attributes:
        zones: zone names; for an hour that the API lacks, the series is used, else the average.
        url: base address, including the API version.
        token_env, token_file: environment variable or file (relative to the config) with the token.
        every_s: interval between two requests for a zone, seconds.
        forecasts: whether to fetch forecasts once an hour; not every contract includes them.
        horizon_h: horizon of a forecast, hours.
    """

    zones: tuple[str, ...]
    url: str = "https://api.electricitymaps.com/v4"
    token_env: str = "ELECTRICITY_MAPS_TOKEN"  # noqa: S105  (a variable's name)
    token_file: str = ""
    every_s: float = 600.0
    forecasts: bool = True
    horizon_h: int = 24


class GridConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Sources of intensity by zone: the API, else a series, else the shipped annual average."""

    series: tuple[SeriesConfig, ...] = ()
    forecasts: tuple[ForecastConfig, ...] = ()
    electricity_maps: ElectricityMapsConfig | None = None


class JournalConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How long the journal is retained for replays.

    Attributes:
        keep_days: retention of events, days; with 0, the journal keeps only the events that a
            restart needs, and no digests.
        events_max: maximum number of retained events.
    """

    keep_days: float = 35.0
    events_max: int = 5_000_000

    @property
    def retention(self) -> Retention:
        """The retention in the store's type."""
        return Retention(self.keep_days * 86_400.0, self.events_max)


class ClockConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What a start does while the system clock is far from the last event.

    Attributes:
        wait: whether it waits until the operator has decided which of the two is right.
    """

    wait: bool = True


class SchedulerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a scheduler.

    Attributes:
        dir: the pool's state directory.
        pool: name of the pool.
        lang: default language of replies, ``fr`` or ``en``.
        timezone: time zone of quota periods and statements.
        gateway: identifier of the gateway inside the scheduler.
        admin_key: the operator's key; "" for the key in ``dir/admin.key``.
        store_url: URL of the store; "" for SQLite in ``dir/store.db``.
        policy_file: JSON or TOML of the policy's first version.
        coops: members of the first version, if there is no ``policy_file``.
        drain_s: how long running jobs may continue after a stop signal, seconds.
        nats, http, grpc, tls, grid, journal, books, smtp, oidc, place, clock: see their classes.
        weights_folders: folders of pinned weights for nodes, in addition to ``dir/weights``.
    """

    dir: str
    pool: str = "entraide"
    lang: str = "fr"
    timezone: str = "America/Toronto"
    gateway: str = "main"
    admin_key: str = ""
    store_url: str = ""
    policy_file: str = ""
    coops: tuple[CoopTerms, ...] = ()
    drain_s: float = 5.0
    nats: NatsConfig = NatsConfig()
    http: HttpConfig = HttpConfig()
    grpc: ListenConfig = ListenConfig()
    tls: TlsConfig = TlsConfig()
    weights_folders: tuple[str, ...] = ()
    grid: GridConfig = GridConfig()
    journal: JournalConfig = JournalConfig()
    books: BooksConfig = BooksConfig()
    smtp: SmtpConfig | None = None
    oidc: OidcConfig | None = None
    place: PlaceConfig = PlaceConfig()
    clock: ClockConfig = ClockConfig()

    @property
    def effective_store_url(self) -> str:
        """The configured URL of the store, or the default."""
        return self.store_url or f"sqlite:///{Path(self.dir).absolute() / 'store.db'}"


INTERIM = "interim-"  # the names of gateways that take part in a handover only begin so


class GatewayConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a gateway process.

    Attributes:
        gateway: identifier, unique in the pool.
        dir: the pool's state directory.
        store_url: "" for SQLite in ``dir/store.db``.
        kept_gateway: identifier of the gateway inside the scheduler.
        pool, lang, timezone, drain_s: as in ``SchedulerConfig``.
        nats, http, grpc, tls, smtp, oidc: as in ``SchedulerConfig``.
        place: where this gateway stands; None for that of the ``pool.toml`` in ``dir``, and
            unknown without one.
    """

    gateway: str
    dir: str
    store_url: str = ""
    kept_gateway: str = "main"
    pool: str = "entraide"
    lang: str = "fr"
    timezone: str = "America/Toronto"
    drain_s: float = 5.0
    nats: NatsConfig = NatsConfig()
    http: HttpConfig = HttpConfig()
    grpc: ListenConfig = ListenConfig()
    tls: TlsConfig = TlsConfig()
    smtp: SmtpConfig | None = None
    oidc: OidcConfig | None = None
    place: PlaceConfig | None = None


def load_config(path: Path) -> SchedulerConfig:
    """Reads and checks a scheduler's config file; its paths are relative to the file's folder.

    Raises:
        PoolError: ``config_refused`` or ``policy_refused``, with the file and the key.
    """
    config = read_toml(path, SchedulerConfig)
    config = _with_absolute_paths(config, path.absolute().parent)
    if config_fault := _find_fault(config):
        raise config_error(path, config_fault)
    for fault in find_all_faults(load_first_policy(config)):
        raise _policy_error(path, fault)
    return config


def _find_fault(config: SchedulerConfig) -> FormFault | None:
    """The first invalid value of a scheduler's settings; None without one."""
    maps, journal, books = config.grid.electricity_maps, config.journal, config.books
    if journal.keep_days < 0.0:
        return value_fault("journal.keep_days", journal.keep_days, "negative")
    if journal.events_max < 0:
        return value_fault("journal.events_max", journal.events_max, "negative")
    if books.fault:
        return range_fault(f"books.{books.fault}", books.grace_days, GRACE_DAYS_MIN, GRACE_DAYS_MAX)
    return (
        find_server_fault(config.http, config.grpc, config.tls)
        or find_signin_fault(config.smtp, config.oidc)
        or config.place.form_fault
        or (_electricity_maps_fault(maps) if maps is not None else None)
        or find_lang_fault(config.lang)
    )


def find_lang_fault(lang: str) -> FormFault | None:
    """Returns what is wrong with the setting of the language; None if it is right."""
    return None if lang in LANGUAGES else choice_fault("lang", lang, LANGUAGES)


def find_server_fault(http: HttpConfig, grpc: ListenConfig, tls: TlsConfig) -> FormFault | None:
    """Returns what is wrong with the settings of the HTTP and gRPC servers; None if nothing is."""
    if requires_tls(grpc.host) and not tls.is_set:
        return value_fault("grpc.host", grpc.host, "needs_tls")
    if requires_tls(http.host) and (http.plain or not (tls.is_set or http.cert_file)):
        return value_fault("http.host", http.host, "needs_tls")
    return http.fault


def _is_network(name: str) -> bool:
    try:
        ip_network(name)
    except ValueError:
        return False
    return True


def read_toml(path: Path, struct_type: type[T]) -> T:
    """Reads a TOML file as a frozen struct.

    Raises:
        PoolError: ``config_refused``: the file cannot be read, or a key or value is invalid.
    """
    document: Any = None
    try:
        with path.open("rb") as file:
            raw = file.read(CONFIG_BYTES_MAX + 1)
        if len(raw) > CONFIG_BYTES_MAX:
            raise config_error(path, FormFault((), "too_large"))
        document = decode_toml(raw.decode())
        return msgspec.convert(document, struct_type)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as problem:
        fault = find_form_fault(problem, document, struct_type)
        raise config_error(path, fault, detail=str(problem)) from problem


class _PoolFile(Struct, frozen=True):
    """What a gateway reads of a ``pool.toml``."""

    place: PlaceConfig = PlaceConfig()


def read_pool_place(state: Path) -> PlaceConfig:
    """Returns the place in the ``pool.toml`` of a pool's directory; unknown if there is none.

    A copy of the directory for a gateway elsewhere does not have this file.

    Raises:
        PoolError: ``config_refused``: the file cannot be read.
    """
    path = state / POOL_FILE
    return read_toml(path, _PoolFile).place if path.is_file() else PlaceConfig()


def load_first_policy(config: SchedulerConfig) -> Policy:
    """Returns the policy's first version from the config.

    Raises:
        PoolError: ``policy_refused``: the policy's file cannot be read, or has a fault.
    """
    if not config.policy_file:
        return Policy(version="1", coops=config.coops)
    path = Path(config.policy_file)
    document = read_file(path)
    for fault in document.faults:
        raise _policy_error(path, fault)
    assert document.policy is not None
    return document.policy


def _electricity_maps_fault(maps: ElectricityMapsConfig) -> FormFault | None:
    table = "grid.electricity_maps"
    if not 0 < len(maps.zones) <= ZONES_MAX or not all(
        re.fullmatch(ZONE, zone) for zone in maps.zones
    ):
        return FormFault((table, "zones"), "no_zones", {"high": ZONES_MAX})
    parts = urlsplit(maps.url)
    if parts.scheme != "https" and requires_tls(parts.hostname or ""):
        return value_fault(f"{table}.url", maps.url, "no_https")
    if not maps.every_s >= INTERVAL_MIN_S:
        return range_fault(f"{table}.every_s", maps.every_s, INTERVAL_MIN_S, math.inf)
    if not 1 <= maps.horizon_h <= HORIZON_MAX_H:
        return range_fault(f"{table}.horizon_h", maps.horizon_h, 1, HORIZON_MAX_H)
    return None


def _with_absolute_paths(config: SchedulerConfig, config_dir: Path) -> SchedulerConfig:
    def absolute(name: str) -> str:
        return str(config_dir / name) if name else ""

    replaced: dict[str, Any] = {
        "dir": absolute(config.dir),
        "policy_file": absolute(config.policy_file),
        "nats": msgspec.structs.replace(config.nats, ca_file=absolute(config.nats.ca_file)),
        "http": msgspec.structs.replace(
            config.http,
            cert_file=absolute(config.http.cert_file),
            key_file=absolute(config.http.key_file),
        ),
        "tls": msgspec.structs.replace(
            config.tls,
            ca_file=absolute(config.tls.ca_file),
            cert_file=absolute(config.tls.cert_file),
            key_file=absolute(config.tls.key_file),
        ),
        "smtp": config.smtp.with_absolute_paths(config_dir) if config.smtp else None,
        "oidc": config.oidc.with_absolute_paths(config_dir) if config.oidc else None,
        "grid": GridConfig(
            tuple(
                msgspec.structs.replace(series, file=absolute(series.file))
                for series in config.grid.series
            ),
            tuple(
                msgspec.structs.replace(forecast, file=absolute(forecast.file))
                for forecast in config.grid.forecasts
            ),
            _maps_with_absolute_paths(config.grid.electricity_maps, config_dir),
        ),
    }
    return msgspec.structs.replace(config, **replaced)


def _maps_with_absolute_paths(
    maps: ElectricityMapsConfig | None, config_dir: Path
) -> ElectricityMapsConfig | None:
    if maps is None or not maps.token_file:
        return maps
    return msgspec.structs.replace(maps, token_file=str(config_dir / maps.token_file))


def _policy_error(path: Path, fault: PolicyFault) -> PoolError:
    return PoolError(
        "policy_refused",
        f"{path}: {fault.key}: {fault.fault}",
        values={**fault.values, "path": str(path), "key": fault.key, "fault": fault.fault},
    )


def config_error(path: Path, fault: FormFault, *, detail: str = "") -> PoolError:
    """Returns the error of an invalid config file.

    Args:
        path: of the file.
        fault: of one of its values, or of its form.
        detail: words of the error that found it, for the log.
    """
    detail = detail or f"{fault.key}: {fault.fault}"
    values = {"path": str(path), "detail": detail} | fault.sentence_values
    return PoolError("config_refused", f"{path}: {detail}", values=values)

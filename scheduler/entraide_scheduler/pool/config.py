"""Pool configuration: ``pool.toml``, the file that an operator edits, as one frozen struct.

Unknown keys are refused. ``scheduler_config`` derives the configuration of the scheduler from it,
and ``gateway_config`` that of each further gateway. HTTPS has the given certificate, or the pool's
own; gRPC and the bus always have a certificate of the pool's own CA, which members receive when
they join, and which is valid on loopback too.
"""

import re
from ipaddress import ip_address
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from entraide.errors import PoolError
from entraide.wire.nats import requires_tls
from entraide_scheduler.config import (
    INTERIM,
    BooksConfig,
    GatewayConfig,
    GridConfig,
    HttpConfig,
    HttpLimits,
    JournalConfig,
    ListenConfig,
    NatsConfig,
    OidcConfig,
    PlaceConfig,
    SchedulerConfig,
    SmtpConfig,
    TlsConfig,
    config_error,
    read_toml,
)
from entraide_scheduler.nats.config import LOOPBACK, NatsSettings
from entraide_scheduler.pool.backup_config import PoolBackup

FILE = "pool.toml"
BUS_PATH = "/bus"
NAME_CHARS_MAX = 80
GATEWAYS_MAX = 16
PROXIES = ("127.0.0.1", "::1")
HTTPS_PORT = 443
HOST_NAME = re.compile(r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*"
                       r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")  # fmt: skip


class PoolHttp(Struct, frozen=True, forbid_unknown_fields=True):
    """HTTPS: where it listens, and the address that members see.

    Attributes:
        host, port: where the scheduler's gateway listens.
        public: ``https://…`` that members see; "" for ``address`` and ``port``.
        gateway_port: port of the second gateway; a third one takes the next.
        trusted_proxies, limits, cors_origins: as in ``HttpConfig``.
    """

    host: str = "0.0.0.0"  # noqa: S104  (members reach it; TLS is on)
    port: int = 8443
    public: str = ""
    gateway_port: int = 8451
    trusted_proxies: tuple[str, ...] = ()
    limits: HttpLimits = HttpLimits()
    cors_origins: tuple[str, ...] = ()


class PoolGrpc(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the gRPC services listen.

    Attributes:
        host, port: of the scheduler and the gateway inside it.
        gateway_port: port of the second gateway; a third one takes the next.
    """

    host: str = "0.0.0.0"  # noqa: S104  (likewise)
    port: int = 8444
    gateway_port: int = 8471


class PoolBus(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the bus listens.

    Attributes:
        host, port: for TLS connections.
        websocket: port on loopback for WebSocket connections, which reach it through ``/bus`` of
            the HTTPS server or of a proxy; 0 for none.
    """

    host: str = "0.0.0.0"  # noqa: S104  (likewise)
    port: int = 4222
    websocket: int = 4223


class PoolTls(Struct, frozen=True, forbid_unknown_fields=True):
    """The certificate of HTTPS.

    Attributes:
        cert_file, key_file: PEM of a certificate chain and of its key; "" for the pool's own CA.
        proxy: whether a proxy in front ends TLS; HTTP then listens on loopback.
    """

    cert_file: str = ""
    key_file: str = ""
    proxy: bool = False


class PoolConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Content of ``pool.toml``.

    Attributes:
        name: name of the pool, for people.
        address: host name or IP address that members use.
        lang: default language, ``fr`` or ``en``.
        timezone: time zone of quota periods and statements.
        database: URL of the store; "" for SQLite in the pool's directory.
        gateways: number of gateways; the first is inside the scheduler.
        weights_folders: folders of pinned weights, in addition to ``weights``.
        http, grpc, bus, tls, grid, journal, books: see their classes.
        place: where the pool's server stands.
        backup: where its backups are kept, and the one that it makes each day.
        smtp: the mail server that sends sign-in links.
        oidc: the identity provider at which persons may sign in.
    """

    name: str
    address: str
    lang: str = "fr"
    timezone: str = "America/Toronto"
    database: str = ""
    gateways: int = 1
    weights_folders: tuple[str, ...] = ()
    http: PoolHttp = PoolHttp()
    grpc: PoolGrpc = PoolGrpc()
    bus: PoolBus = PoolBus()
    tls: PoolTls = PoolTls()
    grid: GridConfig = GridConfig()
    journal: JournalConfig = JournalConfig(keep_days=35.0)
    books: BooksConfig = BooksConfig()
    place: PlaceConfig = PlaceConfig()
    backup: PoolBackup = PoolBackup()
    smtp: SmtpConfig | None = None
    oidc: OidcConfig | None = None

    @property
    def public_url(self) -> str:
        """The ``https://`` address that members see, without a slash at the end."""
        if self.http.public:
            return self.http.public.rstrip("/")
        host = f"[{self.address}]" if ":" in self.address else self.address
        implied = self.tls.proxy or self.http.port == HTTPS_PORT
        return f"https://{host}" if implied else f"https://{host}:{self.http.port}"

    @property
    def bus_urls(self) -> tuple[str, ...]:
        """Addresses of the bus for members, in the order in which a node tries them."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        direct = f"tls://{host}:{self.bus.port}"
        if not self.bus.websocket:
            return (direct,)
        return direct, f"wss{self.public_url.removeprefix('https')}{BUS_PATH}"

    @property
    def ports(self) -> tuple[tuple[str, str, int], ...]:
        """The key, the host and the port of each listening socket."""
        listed = [
            ("http.port", self.http.host, self.http.port),
            ("grpc.port", self.grpc.host, self.grpc.port),
            ("bus.port", self.bus.host, self.bus.port),
        ]
        if self.bus.websocket:
            listed.append(("bus.websocket", LOOPBACK[1], self.bus.websocket))
        for number in range(2, self.gateways + 1):
            port = self.http.gateway_port + number - 2
            listed.append((f"http.gateway_port + {number - 2}", self.http.host, port))
            port = self.grpc.gateway_port + number - 2
            listed.append((f"grpc.gateway_port + {number - 2}", self.grpc.host, port))
        return tuple(listed)


def load_pool_config(state: Path) -> PoolConfig:
    """Reads and checks the ``pool.toml`` of a pool's directory; its paths are relative to it.

    Raises:
        PoolError: ``pool_absent``: there is none; ``config_refused`` or ``pool_config_refused``,
            with the file and the key.
    """
    path = state / FILE
    if not path.is_file():
        raise PoolError("pool_absent", f"no {path}", values={"path": str(state)})
    config = read_toml(path, PoolConfig)
    check_config(config, path)
    tls = structs.replace(
        config.tls,
        cert_file=str(state / config.tls.cert_file) if config.tls.cert_file else "",
        key_file=str(state / config.tls.key_file) if config.tls.key_file else "",
    )
    return structs.replace(
        config,
        tls=tls,
        smtp=config.smtp.with_absolute_paths(state) if config.smtp else None,
        oidc=config.oidc.with_absolute_paths(state) if config.oidc else None,
    )


def check_config(config: PoolConfig, path: Path) -> None:
    """Checks the values of a configuration.

    Raises:
        PoolError: ``pool_config_refused`` or, for what ``scheduler.toml`` has too,
            ``config_refused``, with the key, the value and the fault.
    """
    for table in (_http(config), config.smtp, config.oidc):
        if table is not None and table.fault is not None:
            raise config_error(path, table.fault)
    for key, value, fault in _faults(config):
        raise PoolError(
            "pool_config_refused",
            f"{path}: {key}: {fault}: {value}",
            values={"path": str(path), "key": key, "value": value, "fault": fault},
        )


def _faults(config: PoolConfig) -> list[tuple[str, str, str]]:
    """Returns the key, the value and the code of each fault."""
    ports = [port for _, _, port in config.ports]
    taken_twice = [str(port) for port in ports if ports.count(port) > 1]
    http, tls = config.http, config.tls
    checks = (
        ("name", config.name, "name", not _is_name(config.name)),
        ("address", config.address, "no_host", not is_host(config.address)),
        ("lang", config.lang, "lang", config.lang not in ("fr", "en")),
        ("timezone", config.timezone, "timezone", not _is_timezone(config.timezone)),
        ("gateways", str(config.gateways), "gateways", not 1 <= config.gateways <= GATEWAYS_MAX),
        *((key, str(port), "port_range", not 0 < port < 2**16) for key, _, port in config.ports),
        ("port", "".join(taken_twice[:1]), "port_twice", bool(taken_twice)),
        ("tls", "cert_file, key_file", "pair", bool(tls.cert_file) != bool(tls.key_file)),
        ("tls.proxy", "cert_file", "proxy_and_file", tls.proxy and bool(tls.cert_file)),
        ("http.host", http.host, "proxy_host", tls.proxy and requires_tls(http.host)),
        ("http.public", http.public, "public", not _is_public(http.public)),
        ("journal", str(config.journal.keep_days), "negative",
         config.journal.keep_days < 0.0 or config.journal.events_max < 0),
        ("books.grace_days", str(config.books.grace_days), "grace_days", bool(config.books.fault)),
        *((f"{table}.{place.fault}", str(getattr(place, place.fault)), place.fault, True)
          for table, place in (("place", config.place), ("backup", config.backup)) if place.fault),
    )  # fmt: skip
    return [(key, value, fault) for key, value, fault, is_wrong in checks if is_wrong]


def is_host(text: str) -> bool:
    """Whether a text is a host name or an IP address alone."""
    try:
        ip_address(text)
    except ValueError:
        return HOST_NAME.fullmatch(text) is not None
    return True


def _is_name(text: str) -> bool:
    return 0 < len(text.strip()) <= NAME_CHARS_MAX and text.isprintable()


def _is_public(url: str) -> bool:
    return not url or re.fullmatch(r"https://[^/?#@\s]+/?", url) is not None


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return False
    except KeyError:
        return False
    return True


def bus_settings(config: PoolConfig, state: Path) -> NatsSettings:
    """Returns where the bus listens, with the names of its certificate."""
    return NatsSettings(
        state=state,
        host=config.bus.host,
        port=config.bus.port,
        tls_hosts=(config.address,),
        websocket_port=config.bus.websocket,
    )


def scheduler_config(config: PoolConfig, state: Path, *, bus_url: str) -> SchedulerConfig:
    """Returns the configuration of the scheduler and of the gateway inside it.

    Args:
        config: the pool's.
        state: the pool's state directory.
        bus_url: address of the bus for processes of this machine.
    """
    nats, tls = _trust(config, state, bus_url)
    return SchedulerConfig(
        dir=str(state),
        pool=config.name,
        lang=config.lang,
        timezone=config.timezone,
        store_url=config.database,
        nats=nats,
        http=_http(config),
        grpc=_grpc(config, config.grpc.port),
        tls=tls,
        weights_folders=tuple(str(state / folder) for folder in config.weights_folders),
        grid=config.grid,
        journal=config.journal,
        books=config.books,
        place=config.place,
        smtp=config.smtp,
        oidc=config.oidc,
    )


def gateway_name(number: int) -> str:
    """Returns the name of a further gateway; numbers begin at 2."""
    return f"gateway-{number}"


def interim_config(config: PoolConfig, state: Path, *, number: int, bus_url: str) -> GatewayConfig:
    """Returns the configuration of a gateway that stands in for another; 1 is the scheduler's."""
    name = f"{INTERIM}{number}"
    if number > 1:
        own = gateway_config(config, state, number=number, bus_url=bus_url)
        return structs.replace(own, gateway=name)
    own = gateway_config(config, state, number=2, bus_url=bus_url)
    grpc = _grpc(config, config.grpc.port)
    return structs.replace(own, gateway=name, http=_http(config), grpc=grpc)


def gateway_config(config: PoolConfig, state: Path, *, number: int, bus_url: str) -> GatewayConfig:
    """Returns the configuration of a further gateway; numbers begin at 2."""
    nats, tls = _trust(config, state, bus_url)
    port = config.http.gateway_port + number - 2
    return GatewayConfig(
        gateway=gateway_name(number),
        dir=str(state),
        store_url=config.database,
        pool=config.name,
        lang=config.lang,
        timezone=config.timezone,
        nats=nats,
        http=structs.replace(_http(config), port=port),
        grpc=_grpc(config, config.grpc.gateway_port + number - 2),
        tls=tls,
        smtp=config.smtp,
        oidc=config.oidc,
    )


def _trust(config: PoolConfig, state: Path, bus_url: str) -> tuple[NatsConfig, TlsConfig]:
    """Returns the bus's addresses and the certificate of gRPC; the pool's CA signed both."""
    folder = state / "tls"
    ca = str(folder / "ca.pem")
    nats = NatsConfig(urls=(bus_url,), node_urls=config.bus_urls, ca_file=ca)
    cert, key = str(folder / "server.pem"), str(folder / "server.key")
    return nats, TlsConfig(ca_file=ca, cert_file=cert, key_file=key)


def _grpc(config: PoolConfig, port: int) -> ListenConfig:
    host = f"[{config.address}]" if ":" in config.address else config.address
    return ListenConfig(host=config.grpc.host, port=port, public=f"{host}:{port}")


def _http(config: PoolConfig) -> HttpConfig:
    http, tls = config.http, config.tls
    return HttpConfig(
        host=http.host,
        port=http.port,
        public=config.public_url,
        trusted_proxies=http.trusted_proxies or (PROXIES if tls.proxy else ()),
        limits=http.limits,
        plain=tls.proxy,
        cert_file=tls.cert_file,
        key_file=tls.key_file,
        bus_port=config.bus.websocket,
        cors_origins=http.cors_origins,
    )

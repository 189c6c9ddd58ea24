"""Configuration: the files of a scheduler and of a gateway, decoded once.

Input: TOML. Output: frozen structs; an unknown key is refused.

``config`` has the processes' settings, ``books_config`` when months are closed, ``place_config``
where they stand, ``http_limits`` the
limits of the HTTP server, ``signin_config`` mail and identity provider, ``notify_config`` who is
told of findings; ``value_faults`` names a value that is wrong.
"""

from entraide_scheduler.config.books_config import BooksConfig
from entraide_scheduler.config.config import (
    INTERIM,
    ZONES_MAX,
    ElectricityMapsConfig,
    GatewayConfig,
    GridConfig,
    HttpConfig,
    JournalConfig,
    ListenConfig,
    NatsConfig,
    SchedulerConfig,
    TlsConfig,
    config_error,
    find_lang_fault,
    find_server_fault,
    load_config,
    load_first_policy,
    read_pool_place,
    read_toml,
)
from entraide_scheduler.config.http_limits import (
    AHEAD_MAX_BYTES,
    BODY_MAX_BYTES,
    DISCARDED_MAX_BYTES,
    FILE_MAX_BYTES,
    HEAD_MAX_BYTES,
    HEADERS_MAX,
    KEY_GRACE_S,
    LINGER_S,
    PIPELINED_MAX,
    SMALL_BODY_MAX_BYTES,
    STREAM_HIGH_BYTES,
    STREAM_PART_BYTES,
    UNREAD_HIGH_BYTES,
    UNREAD_MAX_BYTES,
    UPLOAD_MAX_BYTES,
    UPLOAD_PATH,
    YOUNG_FACTOR,
    HttpLimits,
)
from entraide_scheduler.config.notify_config import (
    NOTIFY_FILE,
    MailConfig,
    NotifyConfig,
    WebhookConfig,
    load_notify_config,
    read_secret,
)
from entraide_scheduler.config.place_config import CONTROLS, ZONE, PlaceConfig
from entraide_scheduler.config.signin_config import (
    OidcConfig,
    SmtpConfig,
    find_signin_fault,
    is_trusted_url,
)
from entraide_scheduler.config.value_faults import value_fault

__all__ = [
    "AHEAD_MAX_BYTES",
    "BODY_MAX_BYTES",
    "CONTROLS",
    "DISCARDED_MAX_BYTES",
    "FILE_MAX_BYTES",
    "HEADERS_MAX",
    "HEAD_MAX_BYTES",
    "INTERIM",
    "KEY_GRACE_S",
    "LINGER_S",
    "NOTIFY_FILE",
    "PIPELINED_MAX",
    "SMALL_BODY_MAX_BYTES",
    "STREAM_HIGH_BYTES",
    "STREAM_PART_BYTES",
    "UNREAD_HIGH_BYTES",
    "UNREAD_MAX_BYTES",
    "UPLOAD_MAX_BYTES",
    "UPLOAD_PATH",
    "YOUNG_FACTOR",
    "ZONE",
    "ZONES_MAX",
    "BooksConfig",
    "ElectricityMapsConfig",
    "GatewayConfig",
    "GridConfig",
    "HttpConfig",
    "HttpLimits",
    "JournalConfig",
    "ListenConfig",
    "MailConfig",
    "NatsConfig",
    "NotifyConfig",
    "OidcConfig",
    "PlaceConfig",
    "SchedulerConfig",
    "SmtpConfig",
    "TlsConfig",
    "WebhookConfig",
    "config_error",
    "find_lang_fault",
    "find_server_fault",
    "find_signin_fault",
    "is_trusted_url",
    "load_config",
    "load_first_policy",
    "load_notify_config",
    "read_pool_place",
    "read_secret",
    "read_toml",
    "value_fault",
]

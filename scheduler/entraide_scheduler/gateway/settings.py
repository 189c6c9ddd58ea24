"""Settings: what a gateway is told by the configuration of its process."""

from pathlib import Path

from msgspec import Struct

from entraide import i18n
from entraide.types import UNKNOWN_PLACE, ServerPlace
from entraide_scheduler.config import HttpConfig, OidcConfig, SmtpConfig
from entraide_scheduler.gateway.machines import FOLDER, InstallServer, InstallSource


class Settings(Struct, frozen=True):
    """Settings of a gateway.

    Attributes:
        http: its HTTP server; port 0 takes a free one.
        pool: name of the pool.
        lang: default language of replies.
        place: where the server stands on which this gateway runs.
        kept_gateway: identifier of the gateway that runs kept jobs, the one inside the
            scheduler; "" for this one.
        drain_s: how long running jobs may continue at a stop, seconds.
        mirror: folder of the wheels that members install.
        timezone: time zone of statements.
        smtp: the mail server that sends sign-in links, or None.
        oidc: the identity provider, or None.
    """

    http: HttpConfig = HttpConfig()
    pool: str = "entraide"
    lang: i18n.Lang = "fr"
    place: ServerPlace = UNKNOWN_PLACE
    kept_gateway: str = ""
    drain_s: float = 5.0
    mirror: Path = Path(FOLDER)
    timezone: str = "America/Toronto"
    smtp: SmtpConfig | None = None
    oidc: OidcConfig | None = None


def has_public_certificate(http: HttpConfig) -> bool:
    """Whether browsers reach the gateway by HTTPS, with a certificate that they know."""
    return bool(http.public and (http.plain or http.cert_file))


def make_installer(settings: Settings) -> InstallServer:
    """Returns what serves the programs that members install."""
    http = settings.http
    return InstallServer(
        InstallSource(
            pool=settings.pool,
            url=http.public.rstrip("/"),
            is_public=has_public_certificate(http),
            folder=settings.mirror,
        )
    )

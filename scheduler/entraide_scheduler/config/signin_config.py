"""Sign-in configuration: the mail server and the identity provider of a pool."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct, field, structs

from entraide.form_faults import FormFault
from entraide_scheduler.config.value_faults import value_fault

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PORT_MAX = 65_535


class SmtpConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The mail server that sends sign-in links.

    Attributes:
        host, port: of the server.
        sender: address of the sender; ``from`` in the file.
        security: ``starttls``, ``tls`` from the first byte, or ``none`` on loopback.
        user: name at the server; "" where it wants none.
        password_file: file with the password, relative to the config file.
        ca_file: PEM of the CA that signed the server's certificate; "" for the system's.
    """

    host: str
    sender: str = field(name="from")
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password_file: str = ""
    ca_file: str = ""

    @property
    def files(self) -> dict[str, str]:
        """Paths of the files by the key that names them; "" for one that is not named."""
        return {"smtp.password_file": self.password_file, "smtp.ca_file": self.ca_file}

    @property
    def fault(self) -> FormFault | None:
        """The first invalid value; None without one."""
        if not self.host:
            return value_fault("smtp.host", self.host, "no_host")
        if not 0 < self.port <= PORT_MAX:
            return value_fault("smtp.port", self.port, "port_range")
        if "@" not in self.sender:
            return value_fault("smtp.from", self.sender, "no_mail_address")
        if self.security == "none" and self.host not in LOOPBACK:
            return value_fault("smtp.security", self.host, "readable_letters")
        if bool(self.user) != bool(self.password_file):
            missing = "password_file" if self.user else "user"
            return FormFault(("smtp", missing), "user_and_password")
        return None

    def with_absolute_paths(self, folder: Path) -> "SmtpConfig":
        """Returns the settings with paths that were relative to a folder."""
        names = ("password_file", "ca_file")
        paths = {name: getattr(self, name) for name in names}
        return structs.replace(
            self, **{name: str(folder / path) if path else "" for name, path in paths.items()}
        )


class OidcConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The identity provider (OpenID Connect) at which persons may sign in.

    Attributes:
        issuer: its address, as its tokens name it.
        client_id: name of the pool at the provider.
        client_secret_file: file with the pool's secret there, relative to the config file; ""
            for a public client.
        name: what the page calls it.
    """

    issuer: str
    client_id: str
    client_secret_file: str = ""
    name: str = "OpenID Connect"

    @property
    def files(self) -> dict[str, str]:
        """Path of the file by the key that names it; "" if none is named."""
        return {"oidc.client_secret_file": self.client_secret_file}

    @property
    def fault(self) -> FormFault | None:
        """The first invalid value; None without one."""
        if not is_trusted_url(self.issuer):
            return value_fault("oidc.issuer", self.issuer, "no_https")
        return None if self.client_id else FormFault(("oidc", "client_id"), "empty")

    def with_absolute_paths(self, folder: Path) -> "OidcConfig":
        """Returns the settings with a path that was relative to a folder."""
        path = str(folder / self.client_secret_file) if self.client_secret_file else ""
        return structs.replace(self, client_secret_file=path)


def is_trusted_url(url: str) -> bool:
    """Whether an address is one of HTTPS, or of this machine.

    >>> is_trusted_url("https://id.example.org"), is_trusted_url("http://id.example.org")
    (True, False)
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def find_signin_fault(smtp: SmtpConfig | None, oidc: OidcConfig | None) -> FormFault | None:
    """Returns what is wrong with the settings, or a file of theirs that cannot be read.

    The value of such a fault is the file's path; None if nothing is wrong.
    """
    for config in (smtp, oidc):
        if config is None:
            continue
        if config.fault:
            return config.fault
        for key, path in config.files.items():
            if path and not _is_text(Path(path)):
                return FormFault(tuple(key.split(".")), "unreadable", {"value": path})
    return None


def _is_text(path: Path) -> bool:
    """Whether a file can be read; the errors' words could show a part of a secret."""
    try:
        path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return True

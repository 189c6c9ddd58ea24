"""Sign-in configuration: the mail server and the identity provider of a pool."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct, field, structs

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
    def files(self) -> tuple[str, ...]:
        """Paths of the files that the settings name; "" for one that they do not."""
        return self.password_file, self.ca_file

    @property
    def fault(self) -> str:
        """Description of the first invalid value, or ""."""
        if not self.host or not 0 < self.port <= PORT_MAX:
            return "[smtp] host and port must name a mail server"
        if "@" not in self.sender:
            return f"[smtp] from: {self.sender!r} is no e-mail address"
        if self.security == "none" and self.host not in LOOPBACK:
            return f"[smtp] security: a letter to {self.host} would be readable on its way"
        if bool(self.user) != bool(self.password_file):
            return "[smtp] user and password_file go together"
        return ""

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
    def files(self) -> tuple[str, ...]:
        """Path of the file that the settings name, or ""."""
        return (self.client_secret_file,)

    @property
    def fault(self) -> str:
        """Description of the first invalid value, or ""."""
        if not is_trusted_url(self.issuer):
            return f"[oidc] issuer: {self.issuer!r} is no https address"
        return "" if self.client_id else "[oidc] client_id is empty"

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


def find_signin_fault(smtp: SmtpConfig | None, oidc: OidcConfig | None) -> str:
    """Returns what is wrong with the settings, or a file of theirs that cannot be read, or ""."""
    for config in (smtp, oidc):
        if config is None:
            continue
        if config.fault:
            return config.fault
        for path in filter(None, config.files):
            try:
                Path(path).read_text("utf-8")
            except OSError as problem:
                return f"{path}: {problem.strerror or problem}"
            except UnicodeDecodeError:  # whose text would show a part of a secret
                return f"{path}: not UTF-8"
    return ""

"""Update command: what the owner types to update this installation from its pool.

In: the pool's address, as the owner joined it; whether this machine has accepted a signed release;
else whether the pool's mirror repeats one. Out: ``entraide node upgrade``, or the install line.
"""

from pathlib import Path

from entraide.errors import EntraideError
from entraide.wire.enrolment import INSTALL_PATH, JoinSecret, install_command, write_link
from entraide_node.config import default_dir
from entraide_node.keys import CA_NAME, read_ca_pem
from entraide_node.pool_address import PoolAddress, read_pool_address
from entraide_node.pool_http import TIMEOUT_S, PoolClient

TRUSTED = "release-trusted"  # in the node's folder: what this machine has accepted of releases
RELEASE_PATH = f"{INSTALL_PATH}/wheels/timestamp.json"  # where a mirror repeats a signed release
ASK_TIMEOUT_S = 5.0


def find_update_command(folder: Path) -> dict[str, str]:
    """Returns ``command``, which updates this installation from its pool. Blocks.

    A machine that has accepted a signed release takes no others, so that its pool is not asked.

    Args:
        folder: of the node.

    Returns:
        The command, as a value of a message; nothing where the pool's address is unknown or not
        HTTPS, as in the demonstration on one machine.
    """
    address = read_pool_address(folder)
    if not address.url.startswith("https://"):
        return {}
    if (folder / TRUSTED).exists() or _repeats_release(folder, address):
        named = "" if folder.resolve() == default_dir().resolve() else f" --dir '{folder}'"
        return {"command": f"entraide node upgrade{named}"}
    link = write_link(address.url, JoinSecret("", "", address.key_pin))
    needs_ca = not address.public_certificate and not address.key_pin
    ca_file = str(folder / CA_NAME) if needs_ca else ""
    return {"command": install_command(link, ca_file=ca_file)}


def _repeats_release(folder: Path, address: PoolAddress) -> bool:
    """Whether the mirror of a pool repeats a signed release, as far as the pool says."""
    try:
        pool = open_own_pool(folder, address, timeout_s=ASK_TIMEOUT_S)
        return bool(next(pool.stream(RELEASE_PATH), b""))
    except EntraideError:
        return False


def open_own_pool(
    folder: Path, address: PoolAddress, *, ca_pem: str = "", timeout_s: float = TIMEOUT_S
) -> PoolClient:
    """Returns the pool that a node has joined, checked as when it joined.

    Args:
        folder: of the node.
        address: of the pool.
        ca_pem: certificate of the pool's authority, PEM; "" for that of the node.
        timeout_s: longest wait for a connection or for data.

    Raises:
        RequestError: see ``PoolClient``.
        PoolUnreachable: the pool does not answer.
    """
    authority = ca_pem or ("" if address.public_certificate else read_ca_pem(folder))
    secret = JoinSecret("", "", address.key_pin)
    return PoolClient(address.url, secret=secret, ca_pem=authority, timeout_s=timeout_s)

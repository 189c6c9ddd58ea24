"""Updates: the line that installs the pool's own version here.

Input: the pool's address, as the owner joined it. Output: the line, which asks the pool alone.
"""

from pathlib import Path

from entraide.wire.enrolment import JoinSecret, install_command, write_link
from entraide_node.keys import CA_NAME
from entraide_node.pool_address import read_pool_address

TRUSTED = "release-trusted"  # in the node's folder: what this machine has accepted of releases


def update_values(folder: Path) -> dict[str, str]:
    """Returns ``command``, the line that updates this installation from its pool.

    Args:
        folder: of the node.

    Returns:
        The line of ``install_command``, as a value of a message; nothing where the pool's address
        is unknown or not HTTPS, as in the demonstration on one machine.
    """
    address = read_pool_address(folder)
    if not address.url.startswith("https://"):
        return {}
    link = write_link(address.url, JoinSecret("", "", address.key_pin))
    needs_ca = not address.public_certificate and not address.key_pin
    ca_file = str(folder / CA_NAME) if needs_ca else ""
    return {"command": install_command(link, ca_file=ca_file)}

"""Revocation: asks the pool whether it has revoked this node's key.

The bus refuses a revoked identity with the same words as any other, so that its refusal alone ends
no agent: it may pass. Over HTTPS, enrolment tells a key's holder of its revocation before it looks
at the token.
"""

from pathlib import Path

import msgspec

from entraide.errors import AuthenticationError, EntraideError
from entraide.wire import enrolment_signature
from entraide.wire.enrolment import PATH, JoinRequest, JoinResponse, JoinSecret
from entraide.wire.nats import public_user_key
from entraide_node import keys
from entraide_node.pool_address import read_pool_address
from entraide_node.pool_http import PoolClient, PoolRefusal

KEY_REVOKED = "node_key_revoked"  # the pool's answer
REVOKED = "node_revoked"  # why the agent ends
ASK_AGAIN_S = 60.0


def is_key_revoked(folder: Path) -> bool:
    """Whether the pool itself says that it has revoked the node's key. Blocks.

    False also where the pool's address is unknown, or the pool does not answer or cannot prove that
    it is the node's pool.
    """
    address = read_pool_address(folder)
    if not address.url:
        return False
    try:
        seed = keys.read_identity(folder).seed
        pool = PoolClient(
            address.url,
            secret=JoinSecret("", "", address.key_pin),
            ca_pem="" if address.public_certificate else keys.read_ca_pem(folder),
        )
        question = JoinRequest(token="", node_public_key=public_user_key(seed))
        request = enrolment_signature.sign(question, seed=seed)
        pool.post(PATH, msgspec.json.encode(request), JoinResponse, lang="")
    except PoolRefusal as refusal:
        return refusal.code == KEY_REVOKED
    except (EntraideError, OSError):
        return False
    return False


def revoked_error(folder: Path) -> AuthenticationError:
    """Returns the error with which the agent of a revoked node ends."""
    return AuthenticationError(REVOKED, f"the pool has revoked the key in {folder}")

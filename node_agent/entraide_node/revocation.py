"""Revocation: asks the pool whether this node is out of it for good, and why.

The bus refuses a revoked identity with the same words as any other, so that its refusal alone ends
no agent: it may pass. Over HTTPS, enrolment tells a key's holder of its revocation before it looks
at the token, and of a record that was lost with a backup.
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

REVOKED = "node_revoked"  # why the agent ends
RECORD_GONE = "node_record_gone"  # likewise, and the pool's answer
ENDS = {"node_key_revoked": REVOKED, RECORD_GONE: RECORD_GONE}  # by the pool's answer
ASK_AGAIN_S = 60.0


def find_end(folder: Path) -> str:
    """Returns why the pool itself says that the node is out of it; "" if it does not. Blocks.

    "" also where the pool's address is unknown, or the pool does not answer or cannot prove that
    it is the node's pool.
    """
    address = read_pool_address(folder)
    if not address.url:
        return ""
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
        return ENDS.get(refusal.code, "")
    except (EntraideError, OSError):
        return ""
    return ""


def end_error(code: str, folder: Path) -> AuthenticationError:
    """Returns the error with which the agent of a node ends that is out of the pool."""
    return AuthenticationError(code, f"the pool refuses the key in {folder} for good")

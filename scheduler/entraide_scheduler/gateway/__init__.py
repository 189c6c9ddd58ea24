"""Gateway: the OpenAI-compatible HTTP API, the pool's own API, and the gRPC service ``Pool``.

Input: requests of clients, messages of scheduler and nodes. Output: submissions, runs, answers.

``gateway`` makes and starts the parts, by ``settings``; ``routes`` finds the handler of a path;
``pages`` are the public ones. The rest is in packages, each with a face: ``http`` is the server,
``refusals`` what no request may be; ``chat``, ``messages``, ``responses`` and ``embeddings`` each
read and write one public format, over ``answers`` and beneath ``requests``; ``jobs`` runs them,
``batches`` runs many; ``signin`` and ``admin`` are for persons, ``views`` for members, ``machines``
for nodes; ``api`` has the use cases, ``rpc`` their gRPC, ``openapi`` describes the HTTP.
"""

from entraide_scheduler.gateway.gateway import Gateway
from entraide_scheduler.gateway.jobs import NodeStatus, PoolStatus, ReceiptSigner
from entraide_scheduler.gateway.pages import PoolEndpoints
from entraide_scheduler.gateway.settings import Settings

__all__ = ["Gateway", "NodeStatus", "PoolEndpoints", "PoolStatus", "ReceiptSigner", "Settings"]

"""Every operation says what it reads of a person, in the one table that a test walks."""

from tests.scheduler.person_routes import GRPC, HTTP, POOL_METHODS

from entraide_scheduler.gateway.openapi import build_document
from entraide_scheduler.gateway.routes import PATHS


def test_each_operation_of_the_pool_is_in_the_table() -> None:
    """A new route, a new operation of ``/openapi.json`` and a new call of gRPC are refused here
    until the table says what they read of a person."""
    routes = {(method, path) for path, methods in PATHS.items() for method in methods}
    document = build_document(PATHS)["paths"]
    described = {
        (method.upper(), path)
        for path, item in document.items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }

    assert routes | described == HTTP.keys()
    assert set(POOL_METHODS) == GRPC.keys()

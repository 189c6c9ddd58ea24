"""Every method of the gRPC contract is implemented."""

import pytest

from entraide.v1 import admin_pb2_grpc, enrolment_pb2_grpc, pool_pb2_grpc
from entraide_scheduler.control.admin import AdminService
from entraide_scheduler.control.enrolment import EnrolmentService
from entraide_scheduler.gateway.pool_service import PoolService

SERVED = {
    AdminService: admin_pb2_grpc.AdminServicer,
    EnrolmentService: enrolment_pb2_grpc.EnrolmentServicer,
    PoolService: pool_pb2_grpc.PoolServicer,
}


@pytest.mark.parametrize("service", SERVED)
def test_each_method_is_ours(service: type) -> None:
    """A method that the contract has and the service lacks would answer UNIMPLEMENTED."""
    methods = {name for name in vars(SERVED[service]) if not name.startswith("_")}

    assert methods
    assert methods <= set(vars(service))

"""Every method of the gRPC contract is implemented."""

import pytest

from entraide.v1 import admin_pb2_grpc, enrolment_pb2_grpc, pool_pb2_grpc
from entraide_scheduler.control.admin import AdminService
from entraide_scheduler.control.enrolment import EnrolmentService
from entraide_scheduler.control.grid_admin import GridAdmin
from entraide_scheduler.control.incident_admin import IncidentAdmin
from entraide_scheduler.control.operation_admin import OperationAdmin
from entraide_scheduler.control.people_admin import PeopleAdmin
from entraide_scheduler.control.person_admin import PersonAdmin
from entraide_scheduler.control.policy_admin import PolicyAdmin
from entraide_scheduler.gateway.rpc import PoolService
from entraide_scheduler.notifications import TrialAdmin

SERVED: dict[type, tuple[type, ...]] = {
    admin_pb2_grpc.AdminServicer: (
        AdminService,
        PolicyAdmin,
        GridAdmin,
        OperationAdmin,
        IncidentAdmin,
        PeopleAdmin,
        PersonAdmin,
        TrialAdmin,
    ),
    enrolment_pb2_grpc.EnrolmentServicer: (EnrolmentService,),
    pool_pb2_grpc.PoolServicer: (PoolService,),
}


@pytest.mark.parametrize("contract", SERVED)
def test_each_method_is_ours(contract: type) -> None:
    """A method that the contract has and the service lacks would answer UNIMPLEMENTED; of a
    service in parts, each method is in one part."""
    methods = {name for name in vars(contract) if not name.startswith("_")}
    ours = [name for part in SERVED[contract] for name in vars(part) if name in methods]

    assert methods
    assert sorted(methods) == sorted(ours)

"""Control: the gRPC services for enrolment and administration; not used by requests."""

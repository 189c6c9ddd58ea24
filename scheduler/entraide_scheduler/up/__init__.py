"""A whole pool on one machine: NATS, the scheduler and node agents as supervised processes."""

"""A local pool: NATS, the scheduler and node agents as supervised processes on one machine."""

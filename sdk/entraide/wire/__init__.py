"""Wire format: messages, subjects and codec between gateways, scheduler and node agents (NATS)."""

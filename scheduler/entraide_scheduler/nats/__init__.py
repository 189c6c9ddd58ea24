"""The pool's NATS server: its process, its configuration, identities and permissions.

JetStream is off: the bus delivers messages to present subscribers only. Durable state is in the
store and the journal.
"""

"""The pool's own NATS: its server, who may speak on it, and under which keys.

Nothing here knows what a message says. JetStream is off: the bus carries messages to those who
listen now, and whatever must outlive a process stands in the store and the journal.
"""

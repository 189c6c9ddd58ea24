"""Node validation: checks the messages of nodes, which may be faulty or dishonest. No I/O.

A node's identity comes from the bus, its co-op, site and zone from the pool's record. ``bounds``
defines the limits of every field, ``check`` applies them, ``clocks`` converts times to the
scheduler's clock, ``rate_limits`` limits the message rate, ``message_reader`` combines them.
"""

"""Node validation: what the scheduler accepts of a node's messages.

A node is a member's machine and may be wrong or dishonest. Its identity comes from the bus, its
co-op and its place from the pool's record; ``bounds`` holds the limits of every field that it
sends, ``check`` applies them, ``clocks`` puts its times on the scheduler's clock, and ``rate``
limits how much it may send. Nothing here does I/O.
"""

"""Supervision: the processes of a pool on one machine, shared by ``up`` and ``pool run``."""

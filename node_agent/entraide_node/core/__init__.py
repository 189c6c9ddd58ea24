"""The node agent's pure decisions: no clock, no I/O, no log; time is an argument."""

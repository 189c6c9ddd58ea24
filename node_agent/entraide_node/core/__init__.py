"""Pure decisions of the node agent: no clock, no I/O and no log; time is an argument in seconds."""

"""The pure decision core: no I/O, no clock, no log, no luck of its own."""

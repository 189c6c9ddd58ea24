"""Idle detection: time since the last input at this machine, on each operating system."""

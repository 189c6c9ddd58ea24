"""Services of the system: runs a process of a pool under systemd or launchd."""

"""Service: runs the agent under the system's service manager."""

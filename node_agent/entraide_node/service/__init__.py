"""Service: the agent as something that the system starts, ends and keeps."""

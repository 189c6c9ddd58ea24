"""The owner's page: one screen on this machine alone, on which an owner sets their terms."""

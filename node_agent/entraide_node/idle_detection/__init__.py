"""Presence: since when nobody has touched the machine, asked of each system in its own way."""

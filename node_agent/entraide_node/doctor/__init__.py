"""Doctor: what is wrong with a node, how bad it is, and what mends it."""

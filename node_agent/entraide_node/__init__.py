"""The node agent: runs a member's engines for the pool, on the owner's terms."""

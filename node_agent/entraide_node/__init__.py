"""The node agent: runs a member's engines for the pool, within the owner's terms."""

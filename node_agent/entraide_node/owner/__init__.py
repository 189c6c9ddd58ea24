"""Owner: the terms of the machine's owner, and how the agent applies them."""

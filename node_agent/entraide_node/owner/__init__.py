"""Owner: what the person says whose machine it is, and how the agent heeds it."""

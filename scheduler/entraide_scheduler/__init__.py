"""The scheduler: a pure core that decides, and the shells that carry its decisions out."""

"""The scheduler: a pure core that decides, and the shell that does all input and output."""

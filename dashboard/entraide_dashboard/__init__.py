"""The web pages, as built assets; no code of this package runs on the server."""

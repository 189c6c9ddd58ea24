"""The web pages, shipped as built assets; nothing here runs on the server."""

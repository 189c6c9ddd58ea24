"""Engines: how a node turns a request into tokens, whichever program computes them."""

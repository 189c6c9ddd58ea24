"""Garage: the engines of a node, and where the models come from that they serve."""

"""Model manager: the engines of a node, and the source of the models that they serve."""

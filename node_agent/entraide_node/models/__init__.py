"""Models: the weights on a node, and the verification of their checksums."""

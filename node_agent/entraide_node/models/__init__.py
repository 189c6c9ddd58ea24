"""Models: which weights a node serves, and proof that they are those weights."""

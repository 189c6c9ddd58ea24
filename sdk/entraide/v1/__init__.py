"""Generated from `protos/entraide/v1` by `make protos`; no hand touches it."""

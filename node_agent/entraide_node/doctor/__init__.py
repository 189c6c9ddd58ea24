"""Doctor: diagnoses a node and tells how to repair it."""

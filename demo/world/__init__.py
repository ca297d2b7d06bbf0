"""The demo CLO world: the schema of the system, and data that is consistent and reproducible."""

"""Maintenance of the CLO system: plans, and how they are applied."""

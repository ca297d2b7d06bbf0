"""Starts, finds and stops everything the demo consists of. Loopback only; secrets live in the state directory only."""

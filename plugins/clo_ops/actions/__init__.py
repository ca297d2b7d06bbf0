"""Act: what changes something. Planned first, then applied; idempotent; safe to kill at any instant."""

"""One family of errors. Each says what was observed, what is allowed and what to do next."""

from __future__ import annotations


class CloOpsError(Exception):
    """Base of everything this package raises on purpose."""

    def __init__(self, observed: str, allowed: str = "", next_step: str = "") -> None:
        self.observed = observed
        self.allowed = allowed
        self.next_step = next_step
        parts = [observed]
        if allowed:
            parts.append(f"Allowed: {allowed}")
        if next_step:
            parts.append(f"Next: {next_step}")
        super().__init__(". ".join(part.rstrip(".") for part in parts) + ".")


class ConfigurationError(CloOpsError):
    """Policy, a connection or a file of ours is wrong. Raised before anything is touched."""


class CheckFailed(CloOpsError):
    """The system was asked, answered, and the answer is not allowed. Retrying cannot help."""


class CouldNotCheck(CloOpsError):
    """The system could not be asked. Not a pass; worth another try."""


class CouldNotAsk(CloOpsError):
    """A probe reached nobody at all. Becomes an ``unknown`` finding that names what was tried."""

"""What a plan of maintenance is made of; see ``clo_ops.findings.plans``, which the ledger and the rules know too."""

from clo_ops.findings.plans import Effect, Outcome, Plan, Step

__all__ = ["Effect", "Outcome", "Plan", "Step"]

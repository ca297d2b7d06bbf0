"""evidence.yaml: where the head of the month's evidence is anchored, and who is told it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from clo_ops.policy.base import Cited, Model, Text, Texts


class Anchor(Cited):
    """``connection`` is a repository outside the database administrators' reach; ``to`` are groups of contacts.yaml."""

    connection: Text
    to: Annotated[Texts, Field(min_length=1)]


class EvidenceTerms(Model):
    """evidence.yaml."""

    anchor: Anchor

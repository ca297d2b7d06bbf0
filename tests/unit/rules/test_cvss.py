"""Scores of CVSS 3 vectors, held against the examples first.org publishes with the specification."""

from __future__ import annotations

import pytest

from clo_ops.rules.cvss import base_score, rating

# Published with the examples of CVSS v3.1 (first.org/cvss/v3.1/examples).
PUBLISHED = {
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H": 9.8,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N": 6.1,
    "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N": 6.4,
    "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N": 3.1,
    "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H": 7.8,
    "CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H": 9.9,
    "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N": 4.6,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N": 0.0,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H": 10.0,
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N/E:P": 7.5,
}


@pytest.mark.parametrize("vector", PUBLISHED)
def test_the_published_scores(vector):
    assert base_score(vector) == PUBLISHED[vector]


@pytest.mark.parametrize("vector", ["", "AV:N/AC:L", "CVSS:4.0/AV:N/AC:L", "CVSS:3.1/AV:N/AC:L", "CVSS:3.1/S:X/PR:N"])
def test_what_is_no_vector_has_no_score(vector):
    assert base_score(vector) is None


@pytest.mark.parametrize(
    ("score", "word"),
    [(10, "critical"), (9, "critical"), (8.9, "high"), (7, "high"), (6.9, "medium"), (4, "medium"), (3.9, "low"),
     (0.1, "low"), (0, "none")],
)  # fmt: skip
def test_the_words_of_the_specification(score, word):
    assert rating(score) == word

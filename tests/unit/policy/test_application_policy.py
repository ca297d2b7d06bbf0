"""The application of the drill: what its section of recovery.yaml may not say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from clo_ops.policy import load_policy
from clo_ops.policy.failover import Application, SizeLimits

GOOD = load_policy(mode="demo").recovery.application.model_dump(mode="json")
PART = {"name": "api", "image": "clo/api:1", "port": 8000, "memory": "1 GiB"}


def application(**changed: object) -> Application:
    parts = [{**part, "memory": f"{part['memory']} B"} for part in GOOD["parts"]]
    return Application.model_validate({**GOOD, "parts": parts, **changed})


def test_the_shipped_one_is_sound():
    made = application()
    assert made.entrance.name == "api"
    assert {"cache_host", "worker_port", "database_url", "secret"} <= made.words()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"parts": [{**PART, "command": ["serve", "--db", "{databse_url}"]}]}, "databse_url"),
        ({"parts": [{**PART, "environment": {"X": "{worker_host}"}}], "environment": {}}, "worker_host"),
        ({"parts": [PART, PART]}, "api"),
        ({"parts": [{**PART, "name": "primary"}, PART], "environment": {}}, "primary"),
        ({"parts": [{**PART, "port": None}], "environment": {}}, "a part with a port"),
        ({"web": "frontend"}, "frontend"),
        ({"checks": []}, "at least one"),
        ({"checks": ["login", "login"]}, "login"),
        ({"checks": ["luck"]}, "luck"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_name(changed, said):
    with pytest.raises(ValidationError, match=said):
        application(**changed)


def test_braces_that_are_no_words_of_ours_are_left_alone():
    made = application(parts=[{**PART, "environment": {"X": '{"Json": 1}'}}], environment={})
    assert made.parts[0].environment["X"] == '{"Json": 1}'


def test_a_warning_that_is_not_below_its_critical_is_refused():
    with pytest.raises(ValidationError, match="smaller than critical"):
        SizeLimits.model_validate({"warning": "1 GiB", "critical": "1 GiB"})

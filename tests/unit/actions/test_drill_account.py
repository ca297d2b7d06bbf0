"""The account a drill logs in with: nobody's, and in the form the application keeps."""

from __future__ import annotations

from datetime import timedelta

import argon2
import bcrypt
import pyotp
import pytest
from pydantic import ValidationError

from clo_ops.actions.drill.account import drawn, hashed
from clo_ops.policy import load_policy
from clo_ops.policy.failover import DrillAccount
from clo_ops.probes.signin import code_now

TERMS = load_policy(mode="demo").recovery.application.account


def test_each_drill_draws_its_own_secrets():
    one, another = drawn(TERMS), drawn(TERMS)
    assert one.username == another.username == "clo_ops_drill"
    assert one.password != another.password
    assert one.totp_secret != another.totp_secret
    assert one.password not in repr(one)


def test_its_second_factor_is_the_policys_interval():
    made = drawn(TERMS.model_copy(update={"totp_interval": timedelta(seconds=60)}))
    assert code_now(made, 1_800_000_059) == pyotp.TOTP(made.totp_secret, interval=60).at(1_800_000_059)


def test_an_application_without_a_second_factor_gets_none():
    assert drawn(TERMS.model_copy(update={"second_factor": False})).totp_secret == ""


def test_passwords_are_hashed_as_the_application_keeps_them():
    assert argon2.PasswordHasher().verify(hashed("right", "argon2"), "right")
    assert bcrypt.checkpw(b"right", hashed("right", "bcrypt").encode())
    assert not bcrypt.checkpw(b"wrong", hashed("right", "bcrypt").encode())


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"totp_interval": "500 ms"}, "whole seconds"), ({"password_hash": "plain"}, "argon2"), ({"role": ""}, "role")],
)
def test_what_makes_no_sense_is_refused(changed, said):
    with pytest.raises(ValidationError, match=said):
        DrillAccount.model_validate({**TERMS.model_dump(mode="json"), **changed})

"""The login probes against a scripted door: codes used up, doors that answer neither yes nor no, secrets unsaid."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pyotp
import pytest

from clo_ops.findings import ConfigurationError
from clo_ops.probes import access, signin
from clo_ops.probes.exchange import Browser
from clo_ops.probes.targets import Account, WebTarget

SECRET, INTERVAL = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", 2
ACCOUNT = Account("probe", "right-password", SECRET, INTERVAL)
FIGURES = SimpleNamespace(
    login_path="/login",
    logout_path="/logout",
    me_path="/me",
    refused_status=401,
    wrong_password_suffix="-wrong",
    second_factor_words="second factor",
    fields=signin.StandardNames(),
)


def page(status: int, **body):
    text = b"" if status == 204 else json.dumps(body).encode()
    return SimpleNamespace(status=status, body=text, content_type="application/json", headers={})


class Door:
    """A login with password and TOTP that uses each step once; the attributes break it."""

    def __init__(self):
        self.used, self.open, self.forms, self.logouts = -1, {}, [], []
        self.refuse_codes = 0
        self.trouble = 0
        self.username = "probe"
        self.lets_in = lambda form: None  # a reason to let somebody in who should not be

    @property
    def routes(self):
        return {"/login": self.login, "/logout": self.logout, "/me": self.me}

    def login(self, handler):
        form = json.loads(self.body(handler))
        self.forms.append(form)
        if self.trouble:
            return page(self.trouble, detail=f"trouble with {form['password']}")
        return self.lets_in(form) or self.judged(form)

    def judged(self, form):
        if form["password"] != "right-password":
            return page(401, detail="invalid credentials")
        if "totp" not in form:
            return page(401, detail="second factor required", mfa_required=True)
        step = int(time.time()) // INTERVAL
        good = {pyotp.TOTP(SECRET, interval=INTERVAL).generate_otp(one): one for one in (step - 1, step)}
        found = good.get(form["totp"], -1)
        if found <= self.used or self.refuse_codes:
            self.refuse_codes = max(0, self.refuse_codes - 1)
            return page(401, detail=f"invalid second factor {form['totp']}")
        self.used = found
        return self.session()

    def session(self):
        token = f"token-{len(self.open)}"
        self.open[token] = True
        return page(200, access_token=token, expires_in=60)

    def token(self, handler):
        return handler.headers.get("Authorization", "").removeprefix("Bearer ")

    def logout(self, handler):
        self.logouts.append(self.token(handler))
        self.open[self.token(handler)] = False
        return page(204)

    def me(self, handler):
        signed_in = self.open.get(self.token(handler))
        return page(200, username=self.username) if signed_in else page(401)

    @staticmethod
    def body(handler):
        return handler.seen[-1]["body"]


@pytest.fixture
def door():
    return Door()


@pytest.fixture
def target(serve, door):
    return serve(door.routes).target()


def cases(answer) -> dict[str, float]:
    return {one.labels["case"]: one.value for one in answer.select("login.accepted")}


def test_login_right(door, target):
    answer = access.login(target, ACCOUNT, FIGURES)
    assert cases(answer) == {"wrong_password": 0, "correct": 1}
    assert answer.value("login.identity.matches") == 1
    assert [form["password"] for form in door.forms] == ["right-password-wrong", "right-password"]
    assert not any(door.open.values()), "every session opened is closed"


def test_a_used_code_is_tried_again_with_the_next_step(door, target):
    door.refuse_codes = 1
    started = time.monotonic()
    with Browser(target) as browser:
        made = signin.attempt_with_code(browser, ACCOUNT, FIGURES)
    assert made.accepted
    assert len({form["totp"] for form in door.forms}) == 2
    assert time.monotonic() - started < INTERVAL + 1


def test_codes_are_tried_twice_more_at_most(door, target):
    door.refuse_codes = 99
    with Browser(target) as browser:
        made = signin.attempt_with_code(browser, ACCOUNT, FIGURES)
    assert not made.accepted
    assert len(door.forms) == 1 + signin.STEPS_TO_WAIT


def test_a_wrong_password_is_not_tried_again(door, target):
    with Browser(target) as browser:
        signin.attempt_with_code(browser, ACCOUNT, FIGURES, password="other")
    assert len(door.forms) == 1


def test_a_wrong_password_let_in_is_measured_and_logged_out(door, target):
    door.lets_in = lambda form: door.session() if form["password"].endswith("-wrong") else None
    assert cases(access.login(target, ACCOUNT, FIGURES)) == {"wrong_password": 1, "correct": 1}
    assert not any(door.open.values())


def test_somebody_elses_name_is_noticed(door, target):
    door.username = "somebody"
    answer = access.login(target, ACCOUNT, FIGURES)
    assert answer.first("login.identity.matches").detail == "HTTP 200, username 'somebody'"
    assert answer.value("login.identity.matches") == 0


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_door_in_trouble_refuses_the_right_password_and_proves_nothing_about_the_wrong(door, target, status):
    door.trouble = status
    answer = access.login(target, ACCOUNT, FIGURES)
    assert cases(answer) == {"correct": 0}
    assert [one.question for one in answer.unanswered] == ["login wrong_password", "login identity"]
    assert "right-password" not in str(answer)


def test_an_unreachable_door_leaves_everything_open(closed_port):
    for target in (WebTarget("http://nobody.invalid"), WebTarget(f"http://127.0.0.1:{closed_port}")):
        for probe in (access.login, access.mfa):
            answer = probe(target, ACCOUNT, FIGURES)
            assert answer.measurements == ()
            assert len(answer.unanswered) == 3


def test_mfa_right(door, target):
    answer = access.mfa(target, ACCOUNT, FIGURES)
    assert cases(answer) == {"without_second_factor": 0, "with_second_factor": 1, "replayed_code": 0}
    codes = [form.get("totp") for form in door.forms]
    assert codes[0] is None
    assert codes[-1] == codes[-2]
    assert not any(door.open.values())


def test_no_second_factor_wanted_is_measured(door, target):
    door.lets_in = lambda form: door.session() if "totp" not in form else None
    assert cases(access.mfa(target, ACCOUNT, FIGURES))["without_second_factor"] == 1
    assert not any(door.open.values())


def test_a_code_good_twice_is_measured(door, target):
    door.lets_in = lambda form: door.session() if len(door.forms) == 3 else None
    assert cases(access.mfa(target, ACCOUNT, FIGURES))["replayed_code"] == 1
    assert not any(door.open.values())


def test_without_a_good_code_the_replay_is_not_asked(door, target):
    door.refuse_codes = 99
    answer = access.mfa(target, ACCOUNT, FIGURES)
    assert cases(answer) == {"without_second_factor": 0, "with_second_factor": 0}
    assert [one.question for one in answer.unanswered] == ["login replayed_code"]


def test_no_secret_is_ever_said(door, target):
    door.refuse_codes = 1
    answer = access.mfa(target, ACCOUNT, FIGURES)
    said = json.dumps(answer.as_json())
    secrets = {"right-password", SECRET, *door.open, *(form.get("totp", "right-password") for form in door.forms)}
    assert not [one for one in secrets if one in said]
    made = signin.Attempt(signin.Outcome.ACCEPTED, "session opened", token="tok-1", code="123456")
    assert "tok-1" not in repr(made)
    assert "123456" not in repr(made)


def test_a_session_is_closed_when_what_it_was_for_fails(door, target):
    with Browser(target) as browser, pytest.raises(ValueError, match="boom"):  # noqa: SIM117 - the inner one closes
        with signin.session(browser, ACCOUNT, FIGURES) as made:
            raise ValueError("boom")
    assert door.logouts == [made.token]


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_the_code_of_a_step_is_that_of_rfc_6238(seconds, code):
    """The RFC's own vectors for SHA-1, of whose eight digits the last six are used."""
    account = Account("x", "y", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 30)
    assert signin.code_now(account, seconds) == code


def test_a_short_secret_written_in_groups_is_taken():
    assert signin.code_now(Account("x", "y", "jbsw y3dp ehpk 3pxp", 30), 0) == "282760"


def test_a_secret_that_is_none_is_refused_without_being_shown():
    with pytest.raises(ConfigurationError, match="not base32") as caught:
        signin.code_now(Account("x", "y", "not-a-secret!", 30))
    assert "not-a-secret" not in str(caught.value)


def test_an_api_with_names_of_its_own(serve):
    """The policy says what it calls things: nothing of the CLO API's own names is sent or read."""
    names = signin.StandardNames("login", "secret", "otp", "jwt", "ttl", "message", "sub")
    other = SimpleNamespace(**{**vars(FIGURES), "fields": names, "second_factor_words": "one-time"})
    site = serve({"/login": lambda handler: foreign(json.loads(Door.body(handler)))})
    with Browser(site.target()) as browser:
        made = signin.attempt(browser, ACCOUNT, other, code="123456")
        refused = signin.attempt(browser, ACCOUNT, other)
    assert (made.accepted, made.token, made.granted) == (True, "t", 60)
    assert (refused.second_factor_refused, refused.reason) == (True, "HTTP 401, One-time code missing")


def foreign(form):
    good = form.pop("otp", None) == "123456"
    assert form == {"login": "probe", "secret": "right-password"}
    return page(200, jwt="t", ttl=60) if good else page(401, message="One-time code missing")

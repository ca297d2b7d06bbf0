"""From a breach to a person and back to quiet: the demo system is broken, and everything else is the real thing.

One incident is followed through the whole file, in order: found, told, taken by the signed link, resolved on its page.
"""

from __future__ import annotations

import html
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Severity, Status
from clo_ops.policy import load_policy
from demo import switches
from demo.stack import control
from demo.stack.airflow_api import AirflowSaid
from demo.stack.processes import Process

DAG = "incident_response"
CAUSE = "alert:failed_calculations:"
MAIL = ("Failed portfolio calculations", "opened")


class Answers(urllib.request.HTTPRedirectHandler):
    """A browser that shows a redirect instead of following it."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Pages:
    """The pages of incidents, as somebody with or without a login sees them."""

    def __init__(self, stack: Any) -> None:
        self.base = stack.api.base_url
        self._opener = urllib.request.build_opener(Answers, urllib.request.ProxyHandler({}))
        self._tokens: dict[str, str] = {}

    def ask(self, method: str, path: str, user: str = "", *, origin: str | None = None, **form: str) -> tuple[int, str]:
        path = path.removeprefix(self.base)
        headers = {"Origin": self.base if origin is None else origin}
        if user:
            headers["Cookie"] = f"_token={self._token(user)}"
        data = urllib.parse.urlencode(form).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data=data, method=method, headers=headers)  # noqa: S310 (http)
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def _token(self, user: str) -> str:
        if user not in self._tokens:
            body = json.dumps({"username": user, "password": user}).encode()
            kind = {"Content-Type": "application/json"}
            request = urllib.request.Request(f"{self.base}/auth/token", data=body, headers=kind)  # noqa: S310 (http)
            with self._opener.open(request, timeout=60) as answer:
                self._tokens[user] = json.load(answer)["access_token"]
        return self._tokens[user]


@pytest.fixture(scope="module")
def pages(stack):
    passwords = stack.state / "airflow" / "passwords.json"
    known = json.loads(passwords.read_text())
    passwords.write_text(json.dumps(known | {"op": "op", "viewer": "viewer"}))
    return Pages(stack)


def incidents_of(stack, cause=CAUSE):
    with stack.ledger() as ledger:
        return [one for one in ledger.recent_incidents() if one.cause == cause]


@pytest.fixture(scope="module")
def incident(stack):
    """The one that switching the fault on leads to; its number."""
    switches.switch_on(stack.state, "failing-calculations")
    try:
        (found,) = stack.until(lambda: incidents_of(stack), "the incident of the fault")
        yield found.id
    finally:
        switches.switch_off(stack.state, "failing-calculations")


@pytest.fixture(scope="module")
def run_id(stack, incident):
    return stack.until(lambda: row(stack, incident).dag_run, "the run that works on it")


@pytest.fixture(scope="module")
def link(stack, incident):
    """The signed link in the primary's mail."""
    (mail,) = stack.until(lambda: stack.mails(*MAIL, "/take/"), "the one mail with the link")
    assert "system-administrator@" in mail["To"]
    text = mail.get_body(("html",)).get_content()
    return html.unescape(re.search(r'href="([^"]+/take/[^"]+)"', text).group(1))


def children(process):
    """The processes it has started: the triggers run in one of their own."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [one for one in map(Process.of, map(int, listed)) if one]


def row(stack, number):
    with stack.ledger() as ledger:
        return ledger.incident(number)


def kinds(stack, number):
    with stack.ledger() as ledger:
        return [one.kind for one in ledger.timeline(number)]


def test_the_breach_is_one_incident_and_starts_its_run_at_once(stack, incident, run_id):
    assert run_id.startswith("asset_triggered__")
    assert row(stack, incident).severity == "P2"
    for procedure in ("IR-01", "IR-05", "IR-09", "IR-06"):
        (found, *more) = stack.until(lambda one=procedure: judged(stack, run_id, one), f"{procedure} on record")
        assert not [one for one in (found, *more) if one.status in (Status.FAIL, Status.UNKNOWN)], (found, more)
    assert kinds(stack, incident).count("diagnosed") == 2, "what was seen, and the diagnostics gathered"


def judged(stack, run_id, procedure):
    """What a procedure that has come to its end found."""
    mine = [one for one in stack.findings(DAG, run_id) if one.procedure == procedure]
    return [] if any(one.name == "not finished" for one in mine) else mine


def test_waiting_for_a_person_holds_no_worker(stack, run_id):
    stack.until(lambda: stack.api.tasks(DAG, run_id)["who_takes_it"] == "deferred", "the question")
    asked = stack.api._send("GET", f"/api/v2/dags/{DAG}/dagRuns/{urllib.parse.quote(run_id)}/hitlDetails")
    (question,) = asked["hitl_details"]
    assert question["options"] == ["I take it"]
    assert "Failed portfolio calculations" in question["subject"]


def test_who_may_not_look_sees_nothing_and_who_may_not_act_is_refused(stack, pages, incident):
    page = f"/clo-ops/incidents/{incident}"
    assert pages.ask("GET", page)[0] == 401
    assert pages.ask("GET", "/clo-ops/incidents")[0] == 401
    assert pages.ask("GET", "/clo-ops/operations")[0] == 401
    assert pages.ask("POST", f"{page}/take")[0] == 401
    status, board = pages.ask("GET", "/clo-ops/operations", "viewer")
    assert status == 200
    assert f'incidents/{incident}">{incident}</a>' in board and "left</td>" in board
    assert "On call, primary" in board and "<form" not in board
    status, seen = pages.ask("GET", page, "viewer")
    assert status == 200
    assert "Failed portfolio calculations" in seen
    assert "<form" not in seen
    for act in ("take", "update", "note", "severity", "restored", "resolve"):
        assert pages.ask("POST", f"{page}/{act}", "viewer", text="x", severity="P1")[0] == 403, act
    assert row(stack, incident).acknowledged_at is None


def test_a_form_of_another_site_is_refused(stack, pages, incident):
    page = f"/clo-ops/incidents/{incident}"
    assert pages.ask("POST", f"{page}/take", "op", origin="https://elsewhere.test")[0] == 403
    assert pages.ask("POST", f"{page}/take", "op", origin="")[0] == 403
    assert row(stack, incident).acknowledged_at is None


def test_opening_the_link_takes_nothing_and_a_changed_link_is_refused(stack, pages, incident, link):
    status, seen = pages.ask("GET", link)
    assert status == 200
    assert "I take it, as System Administrator on duty" in seen
    assert row(stack, incident).acknowledged_at is None
    body, mac = link.rsplit(".", 1)
    changed = ("B" if mac[0] == "A" else "A") + mac[1:]
    assert pages.ask("POST", f"{body}.{changed}")[0] == 410
    assert row(stack, incident).acknowledged_at is None


def test_the_watch_killed_while_the_value_is_over_its_level_opens_no_second_incident(stack, incident):
    before = beat(stack)
    triggerer = stack.launch.stack.process("airflow-triggerer")
    stack.kill(*children(triggerer), triggerer)
    control.start_service(stack.launch.stack, "airflow-triggerer")
    stack.until(lambda: beat(stack) > before, "the watch at work again")
    after = beat(stack)
    stack.until(lambda: beat(stack) > after, "another look of it")
    assert [one.id for one in incidents_of(stack)] == [incident]
    assert kinds(stack, incident).count("opened") == 1


def beat(stack):
    with stack.ledger() as ledger:
        return ledger.heartbeats()["watch"].at


def test_the_link_takes_it_once(stack, pages, incident, link):
    me = "system_administrator"
    assert pages.ask("POST", link)[0] == 422
    assert pages.ask("POST", link, person="senior_support_of_elsewhere")[0] == 422
    status, said = pages.ask("POST", link, person=me)
    assert (status, "is taken by System Administrator on duty" in said) == (200, True)
    assert row(stack, incident).acknowledged_by == "System Administrator on duty"
    assert pages.ask("POST", link, person=me)[0] == 410
    assert pages.ask("GET", link)[0] == 410
    assert kinds(stack, incident).count("acknowledged") == 1


def test_taken_elsewhere_the_question_ends_by_itself_and_the_next_is_asked(stack, run_id, incident):
    stack.until(lambda: stack.api.tasks(DAG, run_id)["service_restored"] == "deferred", "the next question")
    assert stack.api.tasks(DAG, run_id)["who_takes_it"] == "success"


def test_required_actions_of_airflow_count_as_well_also_when_the_worker_dies_of_it(stack, run_id, incident):
    """The answer's own try is killed before it can act: the next one finds the answer and asks nobody again."""
    task = f"/api/v2/dags/{DAG}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances/service_restored/-1"
    answer = {"chosen_options": ["Service restored"], "params_input": {"note": "worker <restarted>", "severity": "P3"}}
    stack.until(lambda: asked(stack, task), "a question that can be answered")
    stack.api._send("PATCH", f"{task}/hitlDetails", answer)
    stack.until(lambda: stack.api._send("GET", task)["state"] != "deferred", "the answer taken up by Airflow")
    # Held from here only: whoever else needs the incident (the watch, other runs) waits for it as well.
    with stack.ledger() as ledger, ledger.transaction():
        ledger.held_incident(incident)
        stack.kill(stack.until(lambda: at_work(stack, task), "the answer's try at work"))
    stack.until(lambda: row(stack, incident).mitigated_at, "service restored on record")
    assert row(stack, incident).severity == "P3"
    stack.until(lambda: stack.api.tasks(DAG, run_id)["is_it_over"] == "deferred", "the last question")
    assert stack.api._send("GET", task)["try_number"] > 1
    assert [kinds(stack, incident).count(one) for one in ("mitigated", "severity_lowered")] == [1, 1]


def asked(stack, task):
    """Whether this try has put its question: one that was lost looks for an earlier answer first."""
    try:
        return stack.api._send("GET", f"{task}/hitlDetails")
    except AirflowSaid:
        return None


def at_work(stack, task):
    """The process of a task that runs and waits for the ledger."""
    known = stack.api._send("GET", task)
    process = Process.of(known["pid"]) if known["state"] == "running" and known["pid"] else None
    with stack.launch.ops.connect("clo_ops", "clo_ops") as connection:
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE %s"
        waits = connection.execute(query, ("%service_restored%",)).fetchone()
    return process if waits else None


def test_resolved_on_its_page_everybody_hears_the_all_clear_and_the_run_ends(stack, pages, run_id, incident):
    page = f"/clo-ops/incidents/{incident}"
    assert pages.ask("POST", f"{page}/resolve", "op", text="  ")[0] == 422
    assert pages.ask("POST", f"{page}/resolve", "op", text="worker restarted <b>")[0] == 303
    assert row(stack, incident).closed_by == "op"
    switches.switch_off(stack.state, "failing-calculations")
    stack.until(lambda: stack.mails("Failed portfolio calculations", "all clear"), "the all-clear")
    state, tasks = stack.whole_run(DAG, run_id)
    findings = {one.procedure: one for one in stack.findings(DAG, run_id)}
    assert set(findings) == {f"IR-{number:02d}" for number in range(1, 11)}
    red = [one.message for one in findings.values() if one.status in (Status.FAIL, Status.UNKNOWN)]
    assert (state, red) == ("success", []), (tasks, red)
    assert "<restarted>" not in pages.ask("GET", page, "viewer")[1]


def test_what_is_still_to_be_done_is_ticked_off_on_the_incident_s_page(stack, pages, incident):
    page = f"/clo-ops/incidents/{incident}"
    known = actions(stack, incident)
    severe = row(stack, incident).severity in load_policy().alerting.response.review_of
    assert len(known) == int(severe), "a review is for the severe ones"
    asked = {"title": "Alert <earlier>", "owner": "IT Manager", "due": f"{datetime.now(UTC):%Y-%m-%d}"}
    assert pages.ask("POST", f"{page}/actions", "viewer", **asked)[0] == 403
    assert pages.ask("POST", f"{page}/actions", "op", **asked | {"due": "2026-01-01"})[0] == 422
    assert pages.ask("POST", f"{page}/actions", "op", **asked)[0] == 303
    (added,) = [one for one in actions(stack, incident) if one not in known]
    assert added.due_at > datetime.now(UTC)
    assert "Alert &lt;earlier&gt;" in pages.ask("GET", "/clo-ops/actions", "viewer")[1]
    assert "<form" not in pages.ask("GET", "/clo-ops/actions", "viewer")[1]
    for user, said in (("viewer", 403), ("op", 303)):
        assert pages.ask("POST", f"/clo-ops/actions/{added.id}/done", user)[0] == said
    assert pages.ask("POST", "/clo-ops/actions/0/done", "op")[0] == 404
    assert [one.done_by for one in actions(stack, incident) if one.id == added.id] == ["op"]
    assert "done by op" in pages.ask("GET", page, "viewer")[1]
    assert "Alert" not in pages.ask("GET", "/clo-ops/actions", "viewer")[1]


def actions(stack, incident):
    with stack.ledger() as ledger:
        return ledger.actions(incident)


@pytest.fixture
def several(stack):
    """Three incidents that open at one instant; their runs end with the test."""
    levels, now = (Severity.P2, Severity.P3, Severity.P4), datetime.now(UTC)
    with stack.ledger() as ledger, ledger.transaction():
        desk = Desk(ledger, load_policy())
        seen = [Sighting(f"storm:{level}", level, f"Storm {level}", "AL-03", now, "99 %", "90 %") for level in levels]
        numbers = [desk.detect(one).id for one in seen]
    yield numbers
    for number in numbers:
        with stack.ledger() as ledger:
            Desk(ledger, load_policy()).resolve(number, "the test", "over", datetime.now(UTC))
        if run_id := row(stack, number).dag_run:
            stack.until(lambda one=run_id: ended(stack, one), f"the end of {run_id}")


def ended(stack, run_id):
    """Ends a run by hand; Airflow answers 500 where its scheduler is at the same rows, and is asked again."""
    try:
        return stack.api._send("PATCH", run_path(run_id), {"state": "success"})
    except AirflowSaid:
        return None


def run_path(run_id):
    return f"/api/v2/dags/{DAG}/dagRuns/{urllib.parse.quote(run_id)}"


def test_of_several_at_once_each_gets_a_run_of_its_own(stack, several):
    """One has the run of the event, unless that took up something worse; the others have runs that it started."""
    runs = {one: stack.until(lambda one=one: row(stack, one).dag_run, f"the run of {one}") for one in several}
    assert len(set(runs.values())) == 3
    started = {one: run_id for one, run_id in runs.items() if not run_id.startswith("asset_triggered__")}
    assert len(started) >= 2
    for number, run_id in started.items():
        assert run_id.startswith(f"incident-{number}-")
        assert stack.api._send("GET", run_path(run_id))["conf"] == {"incident": number}


def test_an_event_of_which_no_incident_is_left_starts_a_run_that_does_nothing_and_says_so(stack):
    known = stack.api._send("GET", "/api/v2/assets?name_pattern=clo_incidents")
    newest = f"/api/v2/dags/{DAG}/dagRuns?order_by=-run_after&limit=1"
    before = stack.api._send("GET", newest)["dag_runs"][0]["dag_run_id"]
    stack.api._send("POST", "/api/v2/assets/events", {"asset_id": known["assets"][0]["id"]})
    (run,) = stack.until(
        lambda: [one for one in stack.api._send("GET", newest)["dag_runs"] if one["dag_run_id"] != before], "its run"
    )
    state, tasks = stack.whole_run(DAG, run["dag_run_id"])
    ran = {one for one, how in tasks.items() if how != "skipped"}
    assert (state, ran) == ("success", {"incident_taken_up", "mail_operations_centre", "summary"}), tasks
    said = stack.findings(DAG, run["dag_run_id"])
    assert {one.procedure for one in said} == {f"IR-{number:02d}" for number in range(1, 11)}
    assert {one.status for one in said} == {Status.NOT_APPLICABLE}

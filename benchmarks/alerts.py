"""From a breach to a person: how long until the mail is there, beside Prometheus + Alertmanager at their defaults.

One run, one machine, one exporter, the same breaches, one mail server for both. Then a thousand rules in one look, and
a storm of ten thousand sightings of one cause. ``python benchmarks/alerts.py [breaches [seed]]``
"""

from __future__ import annotations

import random
import re
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import yaml
from aiosmtpd.controller import Controller

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.outbox import SmtpTarget
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Answer, Measurement, Severity
from clo_ops.ledger import Ledger
from clo_ops.orchestration.incidents import Courier
from clo_ops.orchestration.watch import Watch
from clo_ops.policy import Policy, load_policy
from clo_ops.policy.thresholds import Threshold
from clo_ops.probes.watch import Asked
from clo_ops.rules.windows import p95
from demo.stack.ports import LOOPBACK, free_port
from demo.stack.postgres import Cluster
from demo.stack.prometheus import Alertmanager, Prometheus

BREACHES, LATEST = 10, 300.0
RULES, LOOKS, STORM = 1000, 40, 10_000
POLICY = load_policy()
RULE = """
groups:
  - name: breach
    rules:
      - {alert: Breach, expr: clo_breach > 5, labels: {severity: P2}}
"""


class Exporter:
    """What both systems look at: one series for each breach so far."""

    def __init__(self) -> None:
        self.breached: list[int] = []
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                lines = [f'clo_breach{{breach="{one}"}} 10' for one in exporter.breached]
                body = ("\n".join(["clo_up 1", *lines]) + "\n").encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.server.server_port}"


class Mailbox:
    """The first mail about each breach, by system: when it arrived."""

    def __init__(self) -> None:
        self.arrived: dict[tuple[str, int], float] = {}

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        subject = " ".join(str(message_from_bytes(envelope.content)["Subject"]).split())
        if found := re.search(r"(theirs|ours) breach (\d+)", subject):
            self.arrived.setdefault((found[1], int(found[2])), time.monotonic())
        return "250 OK"


@contextmanager
def world() -> Iterator[tuple[Cluster, Path]]:
    with tempfile.TemporaryDirectory(prefix="clo-ops-bench-") as name, Cluster(Path(name) / "pg") as cluster:
        cluster.create_user("clo_ops")
        yield cluster, Path(name)


def fresh_ledger(cluster: Cluster, name: str) -> Ledger:
    cluster.create_database(name, owner="clo_ops")
    ledger = Ledger(cluster.url(name, "clo_ops"))
    ledger.migrate()
    return ledger


def threshold(metric: str, per: tuple[str, ...] = ()) -> Threshold:
    facts = {
        "title": "ours breach" if per else metric,
        "metric": metric,
        "unit": "count",
        "per": list(per),
        "statistic": "last",
        "window": "5 min",
        "hold_for": "0 min",
        "warning": {"above": 2, "clear_at": 1, "alert": "low"},
        "critical": {"above": 5, "clear_at": 4, "alert": "medium"},
        "procedures": ["AL-01"],
        "resolution": "D46",
    }
    return Threshold.model_validate(facts)


def with_rules(rules: dict[str, Threshold]) -> Policy:
    return POLICY.model_copy(update={"thresholds": rules})


# --- breach to mail


def asked(exporter: Exporter) -> Asked:
    browser = httpx.Client(timeout=POLICY.alerting.watch.answer_within.total_seconds(), trust_env=False)

    def ask(at: datetime) -> Answer:
        text = browser.get(f"http://{exporter.address}/metrics").text
        found = re.findall(r'clo_breach\{breach="(\d+)"\} (\S+)', text)
        return Answer.of(Measurement("clo.breach", float(v), "count", at, {"breach": n}) for n, v in found)

    return Asked("breaches", ("clo.breach",), ask)


class Ways:
    """As orchestration.connections.Connections, for the courier."""

    def __init__(self, url: str, port: int) -> None:
        self.url = url
        self.smtp = SmtpTarget(LOOPBACK, port, tls="none", sender="clo-ops@clo.test")

    def ledger(self) -> Ledger:
        return Ledger(self.url)


def watching(watch: Watch, over: threading.Event) -> None:
    """As the trigger does: a look every ``policy.alerting.watch.every``."""
    every = POLICY.alerting.watch.every.total_seconds()
    while not over.is_set():
        began = time.monotonic()
        watch.look(datetime.now(UTC))
        over.wait(max(0.1, every - (time.monotonic() - began)))


def alertmanager_file(port: int) -> str:
    mail = {
        "to": "on-call@clo.test",
        "from": "alertmanager@clo.test",
        "smarthost": f"{LOOPBACK}:{port}",
        "require_tls": False,
        "headers": {"Subject": "theirs breach {{ .GroupLabels.breach }}"},
    }
    # group_wait, group_interval and repeat_interval are left at their defaults; a group of its own for each breach,
    # or all but the first would wait five minutes more.
    route = {"receiver": "mail", "group_by": ["alertname", "breach"]}
    return yaml.safe_dump({"route": route, "receivers": [{"name": "mail", "email_configs": [mail]}]})


def breach_to_mail(cluster: Cluster, directory: Path, breaches: int, dice: random.Random) -> None:
    exporter, box, over = Exporter(), Mailbox(), threading.Event()
    rules = directory / "rules.yml"
    rules.write_text(RULE)
    with ExitStack() as stack:
        sink = Controller(box, hostname=LOOPBACK, port=free_port())
        sink.start()
        stack.callback(sink.stop)
        there = stack.enter_context(Alertmanager(directory, alertmanager_file(sink.port)))
        stack.enter_context(Prometheus(directory, targets=[exporter.address], rules=rules, alertmanager=there.port))
        ledger = stack.enter_context(fresh_ledger(cluster, "breaches"))
        policy = with_rules({"breach": threshold("clo.breach", ("breach",))})
        courier = Courier(Ways(cluster.url("breaches", "clo_ops"), sink.port))  # type: ignore[arg-type]
        stack.callback(courier.close)
        watch = Watch(policy, [asked(exporter)], ledger, Desk(ledger, policy), courier)
        stack.callback(watch.close)
        loop = threading.Thread(target=watching, args=(watch, over))
        loop.start()
        stack.callback(loop.join)
        stack.callback(over.set)
        time.sleep(75)  # both have looked at least once
        began = breach(exporter, breaches, dice)
        wait_for(box, breaches)
    report(began, box, breaches)


def breach(exporter: Exporter, breaches: int, dice: random.Random) -> dict[int, float]:
    """One after another, at times that are no multiple of anybody's interval."""
    began = {}
    for number in range(1, breaches + 1):
        exporter.breached.append(number)
        began[number] = time.monotonic()
        time.sleep(dice.uniform(6, 20))
    return began


def wait_for(box: Mailbox, breaches: int) -> None:
    deadline = time.monotonic() + LATEST
    while len(box.arrived) < 2 * breaches and time.monotonic() < deadline:
        time.sleep(0.2)


def report(began: dict[int, float], box: Mailbox, breaches: int) -> None:
    took = {}
    for system in ("ours", "theirs"):
        took[system] = [box.arrived[system, n] - began[n] for n in began if (system, n) in box.arrived]
        print(
            f"breach to mail, {system:7}: p50 {median(took[system]):6.1f} s   p95 {p95(took[system]):6.1f} s   "
            f"longest {max(took[system]):6.1f} s   ({len(took[system])} of {breaches} arrived)"
        )
    ratio = median(took["theirs"]) / median(took["ours"])
    print(f"theirs / ours at p50: {ratio:.1f}; ours under 10 s at p95: {'yes' if p95(took['ours']) < 10 else 'NO'}")


# --- a thousand rules in one look


def thousand_rules(cluster: Cluster, dice: random.Random) -> None:
    names = [f"rule_{number}" for number in range(RULES)]
    policy = with_rules({name: threshold(f"metric.{name}") for name in names})
    values = dict.fromkeys(names, 1.0)

    def ask(at: datetime) -> Answer:
        return Answer.of(Measurement(f"metric.{name}", value, "count", at) for name, value in values.items())

    question = Asked("all", tuple(f"metric.{name}" for name in names), ask)
    with fresh_ledger(cluster, "rules") as ledger:
        watch = Watch(policy, [question], ledger, Desk(ledger, policy), lambda now: None)
        first, spent = _looks(watch, 1), time.process_time()
        calm = _looks(watch, LOOKS)
        spent = (time.process_time() - spent) / LOOKS
        lively = []
        for _ in range(LOOKS):
            for name in dice.sample(names, 10):
                values[name] = 1.5 if values[name] == 1.0 else 1.0
            lively += _looks(watch, 1)
        watch.close()
    print(
        f"{RULES} rules, one look: first {first[0]:.3f} s, then p50 {median(calm):.3f} s, p95 {p95(calm):.3f} s "
        f"({spent:.3f} s of it processor time); ",
        end="",
    )
    print(f"with 10 values changing each time p50 {median(lively):.3f} s, p95 {p95(lively):.3f} s")


def _looks(watch: Watch, many: int) -> list[float]:
    took = []
    for _ in range(many):
        began = time.perf_counter()
        watch.look(datetime.now(UTC))
        took.append(time.perf_counter() - began)
    return took


# --- ten thousand sightings of one cause


def storm(cluster: Cluster) -> None:
    with fresh_ledger(cluster, "storm") as ledger:
        desk, start = Desk(ledger, POLICY), datetime.now(UTC)
        desk.detect(_one(start))
        told, before, began = len(_messages(ledger)), _peak(), time.perf_counter()
        for number in range(1, STORM):
            desk.detect(_one(start + timedelta(milliseconds=number)))
        seconds = time.perf_counter() - began
        (incident,) = ledger.recent_incidents()
        after, messages = _peak(), _messages(ledger)
        began = time.perf_counter()
        desk.cycle(start + timedelta(seconds=20))
        cycle = time.perf_counter() - began
    people = {who for one in messages for who in one.message.recipients}
    print(
        f"storm of {STORM} sightings: 1 incident (seen {incident.seen_count} times), {told} message at the first, "
        f"{len(messages)} at the end, to {len(people)} people; {STORM / seconds:.0f} sightings/s; "
        f"peak memory {before / 1024:.0f} -> {after / 1024:.0f} MiB; one round of the desk afterwards {cycle:.3f} s"
    )


def _one(at: datetime) -> Sighting:
    return Sighting("storm", Severity.P2, "One cause", "AL-03", at, "92 %", "at most 90 %")


def _messages(ledger: Ledger) -> list[Any]:
    (incident,) = ledger.recent_incidents()
    return ledger.incident_messages(incident.id)


def _peak() -> int:
    """Peak resident memory of this process, KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    breaches = int(sys.argv[1]) if len(sys.argv) > 1 else BREACHES
    dice = random.Random(sys.argv[2] if len(sys.argv) > 2 else "2026-11-23")  # noqa: S311 - when, not a secret
    with world() as (cluster, directory):
        thousand_rules(cluster, dice)
        storm(cluster)
        if breaches:
            breach_to_mail(cluster, directory, breaches, dice)
    return 0


if __name__ == "__main__":
    sys.exit(main())

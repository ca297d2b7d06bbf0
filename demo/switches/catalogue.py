"""Every fault: what it breaks and which procedures of the manual it turns red (none: it warns)."""

from __future__ import annotations

from dataclasses import dataclass

from demo.switches import backup_files, connections, offences, records, services
from demo.switches.actions import Action


@dataclass(frozen=True, slots=True)
class Fault:
    """``flag``: the application reads it from faults.json; ``action``: the board does it itself; some are both.

    Of one ``group`` only one can be on, since they change the same files.
    """

    name: str
    breaks: str
    turns_red: tuple[str, ...]
    flag: bool = False
    action: Action | None = None
    group: str = ""


def _flag(name: str, breaks: str, *procedures: str) -> Fault:
    return Fault(name, breaks, procedures, flag=True)


def _stopped(name: str, service: str, *procedures: str) -> Fault:
    return Fault(name, f"the service {service} is stopped", procedures, action=services.StopService(service))


def _held(name: str, breaks: str, *procedures: str) -> Fault:
    return Fault(name, breaks, procedures, action=connections.Hold(name))


def _backup(action: backup_files.BackupFault, breaks: str) -> Fault:
    return Fault(action.name, breaks, ("DM-04", "DM-01"), action=action, group="backup files")


def _cut(where: str) -> Fault:
    breaks = f"somebody took three rows out of the audit trail, at its {where}"
    return Fault(f"chain-cut-{where}", breaks, ("WF-05",), action=offences.ChainCut(where))


_ALL = (
    _flag("slow-endpoint", "GET /api/v1/portfolios takes 1.5 s longer", "DM-13"),
    _flag("endpoint-error", "GET /api/v1/portfolios answers 500", "DM-13"),
    _flag(
        "endpoint-wrong-body",
        "GET /api/v1/portfolios and /api/v1/monitoring/health answer 200 with another program's page",
        "DM-13",
        "DM-01",
    ),
    _stopped("stopped-service", "worker", "DM-03", "DM-01"),
    _stopped("stopped-api", "api", "DM-01", "DM-03", "DM-13", "DM-15"),
    _stopped("stopped-frontend", "frontend", "DM-01", "DM-03", "DM-14"),
    _flag("login-broken", "every login answers 503", "DM-10"),
    _flag("login-without-mfa", "a login without the second factor opens a session", "DM-11"),
    _flag("wrong-password-accepted", "a wrong password opens a session", "DM-10"),
    _flag("replayed-code-accepted", "a TOTP code is accepted twice", "DM-11"),
    _flag("session-outlives-logout", "logout answers 204 and ends nothing", "DM-12"),
    Fault(
        "session-never-expires",
        "sessions have no end, and one three days old is still honoured",
        ("DM-12",),
        flag=True,
        action=records.EndlessSession(),
    ),
    Fault(
        "orphaned-sessions",
        "5 session rows without a key in Redis and 5 keys without a row (a warning of DM-12, nothing red)",
        (),
        action=records.OrphanedSessions(),
    ),
    _held("connection-leak", "19 of the pool's 20 connections are active and never come back", "DM-05"),
    _held("idle-in-transaction", "a session sits in an open transaction (red once it is old enough)", "DM-05"),
    _held("blocked-session", "a session waits for a row another one has locked (red once it is old enough)", "DM-05"),
    _held("slow-queries", "a statement of 1.2 s runs again and again", "DM-06"),
    Fault(
        "failing-calculations",
        "12 calculations have failed within the last half hour and every new one fails",
        ("DM-09", "AL-05", "BH-04"),
        flag=True,
        action=records.FailedCalculations(),
    ),
    _flag("error-burst", "the worker writes some sixty error lines a second to its log", "LM-02"),
    _flag("missing-asset", "/assets/app.js of the frontend answers 404", "DM-14"),
    _flag("frontend-wrong-page", "the frontend shows another program's page", "DM-14"),
    _flag("websocket-mute", "the WebSocket opens and never says a word", "DM-15"),
    _flag("websocket-wrong-echo", "the WebSocket's pong carries another nonce", "DM-15"),
    _backup(backup_files.StaleBackup(), "the newest backup is three days old or older"),
    _backup(backup_files.MissingBackup(), "the backup repository is empty"),
    _backup(backup_files.FailedBackup(), "the newest backup has failed and left no archive"),
    _backup(backup_files.SmallBackup(), "the newest backup has a tenth of its size"),
    Fault(
        "self-approved-calculation",
        "somebody approved a calculation they had asked for themselves",
        ("WF-01",),
        action=offences.SelfApproved(),
    ),
    Fault(
        "born-superuser",
        "PostgreSQL has a superuser since last night that nobody approved",
        ("WM-08", "WM-09", "WF-04", "M1-04", "M1-06"),
        action=offences.BornSuperuser(),
    ),
    Fault(
        "password-spray", "one source tried one password at forty accounts", ("WM-07",), action=offences.Spray()
    ),
    Fault(
        "unaudited-change",
        "an asset was changed past the application, without an audit row",
        ("WF-05",),
        action=offences.UnauditedChange(),
    ),
    _cut("head"),
    _cut("middle"),
    _cut("tail"),
    Fault(
        "dormant-administrator",
        "an administrator nobody had seen for 200 days has logged in",
        ("WM-06", "WM-08", "M1-01"),
        action=offences.DormantAdministrator(),
    ),
    Fault(
        "large-export", "a user exported many times what they usually do", ("WF-07",), action=offences.LargeExport()
    ),
    Fault(
        "trust-line",
        "pg_hba.conf lets a network in without a password",
        ("WM-08", "WM-09", "WF-04", "M1-06"),
        action=offences.TrustLine(),
    ),
    _stopped("stopped-postgres", "postgres", "DM-01", "DM-03"),
    Fault(
        "stopped-redis", "the service redis is stopped", ("DM-01", "DM-03", "DM-10"), action=services.StopRedis()
    ),
)  # fmt: skip
FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ALL}

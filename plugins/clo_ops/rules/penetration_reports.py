"""Findings of a penetration test out of its report: SARIF 2.1.0, or CSV with a heading (M1-07, manual L171)."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from clo_ops.findings.audit_items import PENETRATION_TEST, Found
from clo_ops.rules import cvss

RATINGS = ("critical", "high", "medium", "low")
LEVELS = {"error": "high", "warning": "medium", "note": "low", "none": "low"}
WORDS = {"critical": "critical", "high": "high", "medium": "medium", "moderate": "medium", "low": "low", "info": "low"}
WORDS |= {"informational": "low"}
# Columns of the CSV form; the first three have to be there.
COLUMNS = ("id", "title", "severity", "target", "owner", "status")
CLOSED = ("closed", "fixed", "resolved", "retested", "accepted")
MOST = 200  # characters of a title


class Unreadable(ValueError):
    """The report is not of its format; the text says where."""


def read(data: bytes, name: str) -> list[Found]:
    """Findings of a report, by the ending of its name: ``.csv``, else SARIF. Raises Unreadable."""
    try:
        text = data.decode("utf-8-sig")
        found = list(_csv(text) if name.lower().endswith(".csv") else _sarif(json.loads(text)))
    except Unreadable:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error
    first: dict[str, Found] = {}
    for one in found:
        # Seen in two runs of one report, it is over only where both say so.
        if one.key not in first or first[one.key].over:
            first[one.key] = one
    return list(first.values())


def _csv(text: str) -> Iterator[Found]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    names = [name.strip().lower() for name in rows.fieldnames or ()]
    if missing := [one for one in COLUMNS[:3] if one not in names]:
        raise Unreadable(f"no column {', '.join(missing)}; found {', '.join(names) or 'nothing'}")
    for number, row in enumerate(rows, 2):
        given = {(name or "").strip().lower(): (value or "").strip() for name, value in row.items() if name}
        if not given["id"] or not given["title"] or given["severity"].lower() not in WORDS:
            raise Unreadable(f"line {number}: id {given['id']!r}, severity {given['severity']!r}")
        over = given.get("status", "").lower()
        yield Found(
            PENETRATION_TEST,
            given["id"],
            given["title"][:MOST],
            WORDS[given["severity"].lower()],
            given.get("target", ""),
            given.get("owner", ""),
            f"the report says {over}" if over in CLOSED else "",
        )


def _sarif(content: Mapping[str, Any]) -> Iterator[Found]:
    if not str(content.get("version", "")).startswith("2.1"):
        raise Unreadable(f"SARIF {content.get('version')!r}, allowed is 2.1.0")
    for run in content["runs"]:
        driver = run["tool"]["driver"]
        rules = {rule["id"]: rule for rule in driver.get("rules", ())}
        for result in run.get("results") or ():
            if result.get("kind", "fail") == "fail":
                yield _result(result, rules.get(_rule_of(result), {}), driver["name"])


def _rule_of(result: Mapping[str, Any]) -> str:
    return str(result.get("ruleId") or (result.get("rule") or {}).get("id") or "")


def _result(result: Mapping[str, Any], rule: Mapping[str, Any], tool: str) -> Found:
    title = (rule.get("shortDescription") or {}).get("text") or result["message"].get("text") or _rule_of(result)
    place = _place(result)
    return Found(
        PENETRATION_TEST,
        f"{tool} {_key(result, place)}",
        " ".join(str(title).split())[:MOST],
        _rating(result, rule),
        place,
        str((result.get("properties") or {}).get("owner", "")),
        _over(result),
    )


def _place(result: Mapping[str, Any]) -> str:
    for location in result.get("locations") or ():
        artifact = (location.get("physicalLocation") or {}).get("artifactLocation") or {}
        logical = location.get("logicalLocations") or [{}]
        if found := artifact.get("uri") or logical[0].get("fullyQualifiedName"):
            return str(found)
    return ""


def _key(result: Mapping[str, Any], place: str) -> str:
    """What stays the same from one report to the next: the tool's own fingerprint, or rule, place and words."""
    for name in ("fingerprints", "partialFingerprints"):
        if marks := result.get(name):
            kind = sorted(marks)[0]
            return f"{_rule_of(result)} {kind} {marks[kind]}"
    if result.get("guid"):
        return str(result["guid"])
    words = json.dumps([_rule_of(result), place, result["message"]], sort_keys=True)
    return f"{_rule_of(result)} {hashlib.sha256(words.encode()).hexdigest()[:16]}"


def _rating(result: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
    """By the score in ``security-severity`` (0 to 10), of the result or else of its rule; else by the level."""
    for whose in (result, rule):
        if (score := (whose.get("properties") or {}).get("security-severity")) is not None:
            word = cvss.rating(float(score))
            return word if word in RATINGS else "low"
    level = result.get("level") or (rule.get("defaultConfiguration") or {}).get("level") or "warning"
    return LEVELS[level]


def _over(result: Mapping[str, Any]) -> str:
    if result.get("baselineState") == "absent":
        return "the report says it is gone"
    accepted = [one for one in result.get("suppressions") or () if one.get("status", "accepted") == "accepted"]
    return f"accepted: {accepted[0].get('justification') or 'no reason given'}" if accepted else ""

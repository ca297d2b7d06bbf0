"""Reports of penetration tests as they come: SARIF of several tools, CSV of a person, and what is neither."""

from __future__ import annotations

import json

import pytest

from clo_ops.rules.penetration_reports import Unreadable, read


def sarif(*results, rules=(), version="2.1.0"):
    driver = {"name": "Tool", "rules": list(rules)}
    return json.dumps({"version": version, "runs": [{"tool": {"driver": driver}, "results": list(results)}]}).encode()


def result(**more):
    return {"ruleId": "R1", "message": {"text": "SQL injection"}, **more}


@pytest.mark.parametrize(
    ("given", "rule", "rating"),
    [
        ({"level": "error"}, {}, "high"),
        ({"level": "warning"}, {}, "medium"),
        ({"level": "note"}, {}, "low"),
        ({}, {}, "medium"),
        ({}, {"defaultConfiguration": {"level": "error"}}, "high"),
        ({"level": "note"}, {"properties": {"security-severity": "9.0"}}, "critical"),
        ({"properties": {"security-severity": "8.9"}}, {"properties": {"security-severity": "9.8"}}, "high"),
        ({"properties": {"security-severity": "0.0"}}, {}, "low"),
    ],
)
def test_the_rating_is_the_score_before_the_level_and_the_results_before_the_rules(given, rule, rating):
    (found,) = read(sarif(result(**given), rules=[{"id": "R1", **rule}]), "r.sarif")
    assert found.rating == rating


def test_a_finding_keeps_its_key_from_one_report_to_the_next():
    place = [{"physicalLocation": {"artifactLocation": {"uri": "app/login.py"}, "region": {"startLine": 7}}}]
    moved = [{"physicalLocation": {"artifactLocation": {"uri": "app/login.py"}, "region": {"startLine": 9}}}]
    (one,), (other,) = (read(sarif(result(locations=where)), "r.json") for where in (place, moved))
    assert (one.key, one.detail, one.title) == (other.key, "app/login.py", "SQL injection")
    (third,) = read(sarif(result(locations=place, message={"text": "another"})), "r.json")
    assert third.key != one.key
    (marked,) = read(sarif(result(partialFingerprints={"a/v1": "x1"}, message={"text": "words"})), "r.json")
    assert marked.key == "Tool R1 a/v1 x1"


def test_what_passed_is_no_finding_and_what_is_gone_or_accepted_is_over():
    gone = result(baselineState="absent", guid="g1")
    accepted = result(guid="g2", suppressions=[{"kind": "external", "justification": "behind a proxy"}])
    asked = result(guid="g3", suppressions=[{"kind": "external", "status": "underReview"}])
    found = read(sarif(result(kind="pass"), gone, accepted, asked), "r.sarif")
    assert {one.key: one.over for one in found} == {
        "Tool g1": "the report says it is gone",
        "Tool g2": "accepted: behind a proxy",
        "Tool g3": "",
    }


def test_twice_in_a_report_it_is_one_and_open_where_either_is():
    found = read(sarif(result(guid="g", baselineState="absent"), result(guid="g")), "r.sarif")
    assert [(one.key, one.over) for one in found] == [("Tool g", "")]


def test_a_table_of_a_person():
    text = (
        "ID,Title,Severity,Target,Owner,Status\r\n"
        "PT-1,=HYPERLINK(),Critical,https://clo,Ann,open\r\n"
        'PT-2,"Weak, old cipher",moderate,,,Fixed\r\n'
    )
    one, other = read(b"\xef\xbb\xbf" + text.encode(), "Report.CSV")
    assert (one.key, one.rating, one.detail, one.owner, one.over) == ("PT-1", "critical", "https://clo", "Ann", "")
    assert (other.title, other.rating, other.over) == ("Weak, old cipher", "medium", "the report says fixed")


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"id,title\r\n1,x", "r.csv", "no column severity"),
        (b"", "r.csv", "no column"),
        (b"id,title,severity\r\n1,x,dire", "r.csv", "line 2"),
        (b"id,title,severity\r\n,x,low", "r.csv", "line 2"),
        (b"\xff\xfe\x00", "r.csv", "UnicodeDecodeError"),
        (b"{}", "r.sarif", "SARIF None"),
        (b"[]", "r.sarif", "AttributeError"),
        (b"not json", "r.sarif", "JSONDecodeError"),
        (sarif(version="1.0.0"), "r.sarif", "SARIF '1.0.0'"),
        (sarif(result(level="dire")), "r.sarif", "KeyError"),
        (sarif({"ruleId": "R1"}), "r.sarif", "KeyError"),
    ],
)
def test_what_is_no_report_is_refused_with_its_place(data, name, said):
    with pytest.raises(Unreadable, match=said):
        read(data, name)

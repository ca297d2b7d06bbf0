#!/usr/bin/env python3
# ruff: noqa: B904, PTH118, PTH123, PTH208, T201, UP032 - reads on old Pythons, and speaks
"""Verify a month's evidence offline: nothing changed, nothing missing, nothing added, and it is what was anchored.

    python3 verify_evidence.py evidence-2026-11.zip --head 5f3a...          the hash from the mail
    python3 verify_evidence.py evidence-2026-11.zip --anchors /mnt/anchor   the second repository, whole

Needs Python 3.8 or newer and nothing else; asks no system. Exit codes:
  0  as recorded, and as anchored
  1  not as recorded, or not as anchored; each difference is named
  2  it cannot be checked: no bundle, or not one of ours
  3  the files are as their index says, but no anchor was given: somebody may have replaced all of it at once
"""

import argparse
import hashlib
import json
import os
import re
import sys
import zipfile

FORMAT = "clo-ops evidence month 1"
HEAD, INDEX = "head.json", "index.jsonl"
ANCHOR = re.compile(r"^(\d{4}-\d{2})-([0-9a-f]{64})\.json$")


class Unreadable(Exception):
    """There is nothing that could be checked."""


def sha256(stream):
    digest = hashlib.sha256()
    for part in iter(lambda: stream.read(1 << 20), b""):
        digest.update(part)
    return digest.hexdigest()


def head_of(archive):
    """The head's bytes and what it says."""
    try:
        data = archive.read(HEAD)
        facts = json.loads(data.decode("utf-8"))
        if facts["format"] != FORMAT:
            raise Unreadable("its format is {!r}, this script reads {!r}".format(facts["format"], FORMAT))
        return data, facts
    except (KeyError, ValueError, TypeError) as problem:
        raise Unreadable("no readable {}: {}".format(HEAD, problem))


def index_of(archive):
    """By path what the index says. Raises Unreadable where it is not one."""
    try:
        lines = archive.read(INDEX).decode("utf-8").splitlines()
        return {one["path"]: one for one in map(json.loads, lines)}
    except (KeyError, ValueError, TypeError) as problem:
        raise Unreadable("no readable {}: {}".format(INDEX, problem))


def files_wrong(archive, facts):
    """What differs between the archive, its index and its head."""
    names = [one.filename for one in archive.infolist()]
    for name in sorted({one for one in names if names.count(one) > 1} if len(names) != len(set(names)) else ()):
        yield "{}: in the archive twice".format(name)
    with archive.open(INDEX) as stream:
        found = sha256(stream)
    if found != facts["index_sha256"]:
        yield "{}: changed: SHA-256 is {}, the head says {}".format(INDEX, found, facts["index_sha256"])
    recorded = index_of(archive)
    enclosed = {path for path, one in recorded.items() if one["enclosed"]}
    there = set(names) - {HEAD, INDEX}
    for path in sorted(enclosed - there):
        yield "{}: missing".format(path)
    for path in sorted(there - enclosed):
        yield "{}: added: the index does not enclose it".format(path)
    for path in sorted(enclosed & there):
        with archive.open(path) as stream:
            found = sha256(stream)
        if found != recorded[path]["sha256"]:
            yield "{}: changed: SHA-256 is {}, recorded was {}".format(path, found, recorded[path]["sha256"])
    if len(enclosed) != facts["files"]:
        yield "{} files are enclosed by the index, the head says {}".format(len(enclosed), facts["files"])


def anchors_wrong(folder, head, month):
    """The head in the second repository, and the chain of heads there."""
    known = {}
    for name in sorted(os.listdir(folder)):
        match = ANCHOR.match(name)
        if not match:
            continue
        with open(os.path.join(folder, name), "rb") as stream:
            data = stream.read()
        if hashlib.sha256(data).hexdigest() != match.group(2):
            yield "anchor {}: changed".format(name)
        else:
            known[match.group(2)] = json.loads(data.decode("utf-8"))
    for facts in sorted(known.values(), key=lambda one: one["month"]):
        if facts["previous"] and facts["previous"] not in known:
            yield "anchor of {}: the head before it, {}, is not there".format(facts["month"], facts["previous"])
    if head not in known:
        heads = [one for one, facts in known.items() if facts["month"] == month]
        yield "the bundle's head {} is not anchored; anchored for {}: {}".format(
            head, month, ", ".join(heads) or "none"
        )


def wrong(path, expected="", anchors=""):
    """Everything that is not as it should be, and the head's hash and facts."""
    with zipfile.ZipFile(path) as archive:
        data, facts = head_of(archive)
        head = hashlib.sha256(data).hexdigest()
        found = list(files_wrong(archive, facts))
    if expected and head != expected.strip().lower():
        found.append("the bundle's head is {}, expected was {}".format(head, expected))
    if anchors:
        found += anchors_wrong(anchors, head, facts["month"])
    return found, head, facts


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--head", default="", help="the head hash that was mailed")
    parser.add_argument("--anchors", default="", help="folder of the second repository")
    options = parser.parse_args(arguments)
    try:
        found, head, facts = wrong(options.bundle, options.head, options.anchors)
    except (OSError, Unreadable, zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError) as problem:
        print("cannot be checked: {}".format(problem))
        return 2
    for one in found:
        print("WRONG  {}".format(one))
    for one in facts["lost"]:
        print("LACKED when it was made: {}".format(one))
    for one in facts["trails"]:
        print("audit trail {}: row {}, {}".format(one["system"], one["head_id"], one["row_hash"]))
    print("{}: {} files, head {}".format(facts["month"], facts["files"], head))
    if found:
        print("NOT as recorded")
        return 1
    if not (options.head or options.anchors):
        print("as its index says; not held against an anchor (--head or --anchors)")
        return 3
    print("as recorded and anchored")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""M3-03 (manual L207-L208): what the restored copy holds is what the backup's manifest says it held.

Pure: a manifest as read, the contents as probed, an answer with the canary and the indexes. Where the manifest holds
less (format 1 has row counts only, a plain dump of somebody else's nothing), what cannot be compared is
``not_applicable`` with that reason: never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.findings.contents import PRIVILEGES, Contents, SequenceState, without_privileges
from clo_ops.policy.proof import NewestRow, Proof
from clo_ops.rules.figures import age, moment
from clo_ops.rules.verdicts import Case

PROCEDURE = "M3-03"
MANUAL = "L207-L208"
COMPARE = (
    "Compare the table named with the fingerprint taken with the backup; try an older backup before this one is needed."
)
ASK_AGAIN = "Check that the throw-away server is up and its role may read every table; then clear this task."
REINDEX = "Restore again: when the index is bad again, check the memory and disk of this machine; if not, REINDEX it."
SETVAL = "Set the sequence beyond its column (setval) after a restore, and find out how production's came to be behind."
DESCRIBE = "Take backups with their description (docs/backups.md): the next one can be proven equal to what it was of."
OUR_EXTENSION = "amcheck"  # made in the copy to check it
NAMED = 5
# Without any of these nobody can say that the copy is what was backed up, and means what it did then.
RECORDED = {"schema", "tables", "fingerprints", "canary", "invariants as at backup time"}


def judge(
    manifest: Mapping[str, Any], found: Contents | None, answer: Answer, policy: Proof, *, rpo: timedelta
) -> list[Finding]:
    """Everything about the contents; one finding per thing that differs, one pass where all agree.

    ``answer`` holds ``contents.canary.matches`` and ``contents.index.sound``. Both numbers are in every message.
    """
    findings = unanswered_findings(PROCEDURE, answer, Severity.P1, ASK_AGAIN)
    if found is not None:
        findings += _schema(manifest, found)
        findings += _tables(manifest, found)
        findings += _sequences(manifest, found)
        findings += _newest(manifest, found, policy, rpo)
        findings += _canary(manifest, answer)
    findings += _indexes(answer)
    return findings or [_case("contents", "the contents of the restored copy").not_measured()]


def uncompared(findings: Iterable[Finding]) -> list[str]:
    """What of a restored copy was not held against the backup's own record, because it has none: names of findings.

    Empty is what L4 means: equal to what was backed up. Those of ``rules.integrity`` belong to it.
    """
    left_out = {one.name for one in findings if one.status is Status.NOT_APPLICABLE}
    return sorted(left_out & RECORDED)


def no_deeper(left_out: Sequence[str]) -> Finding:
    """A warning for ``uncompared``: a copy that equals nothing on record is restored (L3), not proven equal (L4)."""
    expected = "schema, tables, fingerprints, canary and invariants recorded with the backup (L4)"
    case = _case("held against its record", expected, severity=Severity.P3, act=DESCRIBE)
    return case.warned("L3", f"Proven no deeper than L3: nothing on record to hold its {', '.join(left_out)} against")


def measurements(manifest: Mapping[str, Any], found: Contents, at: datetime) -> list[Measurement]:
    """The comparison as figures for the ledger and the report; ``at`` is when the copy was read."""
    made = [Measurement("contents.table.rows", one.rows, "count", at, {"table": table}) for table, one in
            sorted(found.tables.items())]  # fmt: skip
    for table, aspect, wanted, got in _compared(manifest, found):
        told = f"manifest {wanted}, restored {got}"
        labels = {"table": table, "aspect": aspect}
        made.append(Measurement("contents.table.matches", wanted == got, "bool", at, labels, told))
    if manifest.get("schema_fingerprint"):
        same = manifest["schema_fingerprint"] == found.schema_fingerprint
        told = "; ".join(_named(_differences(manifest.get("schema") or {}, found)))
        made.append(Measurement("contents.schema.matches", same, "bool", at, {}, told))
    made += [Measurement("contents.sequence.behind", one.behind, "bool", at, {"sequence": name}, _stands(one))
             for name, one in sorted(found.sequences.items())]  # fmt: skip
    snapshot = _moment(manifest.get("snapshot_at"))
    if snapshot is not None:
        made += [Measurement("contents.newest_row.age", (snapshot - newest).total_seconds(), "s", at, {"table": table})
                 for table, newest in found.newest.items() if newest is not None]  # fmt: skip
    return made


def _case(name: str, expected: str, subject: str = "", *, severity: Severity = Severity.P1, act: str = COMPARE) -> Case:
    return Case(PROCEDURE, name, expected, severity, act, MANUAL, subject)


def _cannot(name: str, reason: str) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name=name,
        status=Status.NOT_APPLICABLE,
        expected="what the manifest recorded",
        actual=reason,
        message=f"{name[0].upper()}{name[1:]} cannot be compared: {reason}.",
    )


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None


def _named(names: Iterable[str]) -> list[str]:
    """The first few, and how many more."""
    given = list(names)
    return given if len(given) <= NAMED else [*given[:NAMED], f"and {len(given) - NAMED} more"]


# ---------------------------------------------------------------- schema


def _schema(manifest: Mapping[str, Any], found: Contents) -> Iterator[Finding]:
    wanted = manifest.get("schema_fingerprint")
    if not wanted:
        yield _cannot("schema", "the manifest holds no schema fingerprint")
        return
    case = _case("schema", f"schema fingerprint {wanted[:12]}…")
    actual = f"{found.schema_fingerprint[:12]}…"
    recorded = manifest.get("schema") or {}
    if wanted == found.schema_fingerprint:
        objects = len(without_privileges(found.schema))
        yield case.passed(actual, f"All {objects} definitions are those of the backup (fingerprint {actual})")
    else:
        told = "; ".join(_named(_differences(recorded, found))) or "the manifest does not hold the definitions"
        yield case.failed(actual, f"The schema differs (recorded {wanted[:12]}…, restored {actual}): {told}")
    yield from _privileges(recorded, found)
    yield from _extensions(manifest.get("extensions"), found)


def _differences(recorded: Mapping[str, str], found: Contents, *, privileges: bool = False) -> list[str]:
    """Every object that is missing, extra or defined otherwise, with both definitions."""
    pairs = ((key, recorded.get(key), found.schema.get(key)) for key in sorted(recorded.keys() | found.schema.keys()))
    return [
        f"{key} is {'missing' if got is None else 'extra' if was is None else 'different'}"
        f" (recorded {was if was is not None else 'nothing'}, restored {got if got is not None else 'nothing'})"
        for key, was, got in pairs
        if was != got and recorded and key.startswith(PRIVILEGES) is privileges
    ]


def _privileges(recorded: Mapping[str, str], found: Contents) -> Iterator[Finding]:
    if not recorded:
        return
    case = _case("owners and grants", "owners and grants as recorded", severity=Severity.P2,
                 act="Restore the roles first, then the archive with its owners and privileges.")  # fmt: skip
    differ = _differences(recorded, found, privileges=True)
    count = sum(key.startswith(PRIVILEGES) for key in recorded)
    if differ:
        yield case.failed(f"{len(differ)} of {count} differ", f"{len(differ)} of {count} differ: {_joined(differ)}")
    else:
        yield case.passed(f"{count} as recorded", f"All {count} owners and grants are as recorded")


def _joined(names: Iterable[str]) -> str:
    return "; ".join(_named(names))


def _extensions(recorded: Mapping[str, str] | None, found: Contents) -> Iterator[Finding]:
    if recorded is None:
        return
    case = _case("extensions", "extensions as recorded", severity=Severity.P2,
                 act="Install that version of the extension in the image the drill restores into.")  # fmt: skip
    missing = sorted(set(recorded) - set(found.extensions))
    other = [f"{name} {recorded[name]} is {found.extensions[name]}" for name in sorted(set(recorded) - set(missing))
             if recorded[name] != found.extensions[name]]  # fmt: skip
    extra = sorted(set(found.extensions) - set(recorded) - {OUR_EXTENSION})
    told = (
        f"recorded {len(recorded)}, missing {_listed(missing)}, other version {_listed(other)}, extra {_listed(extra)}"
    )
    if missing or extra:
        yield case.failed(told, f"The extensions differ: {told}")
    elif other:
        yield case.warned(told, f"The extensions differ: {told}")
    else:
        yield case.passed(told, f"All {len(recorded)} extensions are there in the version recorded")


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


# ---------------------------------------------------------------- tables


def _full(name: str) -> str:
    """Manifests of format 1 name tables of public without their schema."""
    return name if "." in name else f"public.{name}"


def _recorded(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {_full(name): one for name, one in (manifest.get("tables") or {}).items()}


def _compared(manifest: Mapping[str, Any], found: Contents) -> Iterator[tuple[str, str, str, str]]:
    """(table, aspect, recorded, restored) of every table in both, for the aspects the manifest has."""
    for table, was in sorted(_recorded(manifest).items()):
        got = found.tables.get(table)
        if got is not None:
            yield table, "rows", str(was.get("rows")), str(got.rows)
            if was.get("fingerprint") is not None:
                yield table, "fingerprint", str(was["fingerprint"]), got.fingerprint


def _tables(manifest: Mapping[str, Any], found: Contents) -> Iterator[Finding]:
    recorded = _recorded(manifest)
    if not recorded:
        yield _cannot("tables", "the backup has no manifest, or one without tables")
        return
    yield _there(recorded, found)
    compared = list(_compared(manifest, found))
    yield from _aspect("rows", "row counts", compared)
    if any(aspect == "fingerprint" for _, aspect, _, _ in compared):
        yield from _aspect("fingerprint", "fingerprints", compared)
    else:
        version = manifest.get("format_version", "unknown")
        yield _cannot("fingerprints", f"the manifest (format {version}) holds row counts only, and equal counts do "
                                      "not prove equal rows")  # fmt: skip


def _there(recorded: Mapping[str, Any], found: Contents) -> Finding:
    case = _case("tables", f"the {len(recorded)} tables recorded, no more and no less")
    missing, extra = sorted(set(recorded) - set(found.tables)), sorted(set(found.tables) - set(recorded))
    actual = f"{len(found.tables)} tables"
    if not missing and not extra:
        return case.passed(actual, f"All {len(recorded)} tables are there")
    told = f"missing: {', '.join(_named(missing)) or 'none'}; extra: {', '.join(_named(extra)) or 'none'}"
    return case.failed(actual, f"Recorded {len(recorded)} tables, restored {len(found.tables)}; {told}")


def _aspect(aspect: str, what: str, compared: list[tuple[str, str, str, str]]) -> Iterator[Finding]:
    mine = [(table, was, got) for table, one, was, got in compared if one == aspect]
    wrong = [(table, was, got) for table, was, got in mine if was != got]
    for table, was, got in wrong:
        case = _case(what, f"{aspect} {was}", table)
        yield case.failed(got, f"{table} differs in {aspect}: manifest {was}, restored {got}")
    if not wrong:
        case = _case(what, f"{what} as recorded")
        yield case.passed(f"{len(mine)} of {len(mine)} equal", f"The {what} of all {len(mine)} tables are as recorded")


# ---------------------------------------------------------------- sequences, newest rows, canary, indexes


def _stands(one: SequenceState) -> str:
    return f"gives {one.next_value} next, {one.column or 'no column'} has got to {one.furthest}"


def _sequences(manifest: Mapping[str, Any], found: Contents) -> Iterator[Finding]:
    recorded: Mapping[str, int] | None = manifest.get("sequences")
    behind = [(name, one) for name, one in sorted(found.sequences.items()) if one.behind]
    for name, one in behind:
        case = _case("sequences", f"beyond {one.furthest}", name, act=SETVAL)
        yield case.failed(f"next {one.next_value}", f"The sequence {name} is behind its table: it {_stands(one)}")
    gone = sorted(set(recorded or {}) - set(found.sequences))
    # A sequence that feeds no column has nothing to be beyond but where it stood.
    lower = [
        f"{name} recorded {recorded[name]}, restored {one.last_value}"
        for name, one in sorted(found.sequences.items())
        if recorded and one.furthest is None and name in recorded and _fell(recorded[name], one)
    ]
    case = _case("sequences recorded", f"{len(recorded or {})} sequences, none further back", act=SETVAL)
    if gone:
        told = f"missing: {', '.join(_named(gone))}; further back: {_joined(lower) or 'none'}"
        yield case.failed(f"{len(found.sequences)} sequences", f"Recorded {len(recorded or {})} sequences; {told}")
    elif lower:
        # No failure: a sequence is in no snapshot, and one may have moved between the dump's look at it and ours.
        yield case.warned(f"{len(lower)} further back", f"Sequences are further back: {_joined(lower)}")
    if not behind and not gone:
        case = _case("sequences", "every sequence beyond its table")
        count = len(found.sequences)
        yield case.passed(f"{count} of {count}", f"All {count} sequences are beyond the tables they feed")


def _fell(recorded: int, one: SequenceState) -> bool:
    return one.last_value < recorded if one.increment > 0 else one.last_value > recorded


def _newest(manifest: Mapping[str, Any], found: Contents, policy: Proof, rpo: timedelta) -> Iterator[Finding]:
    snapshot = _moment(manifest.get("snapshot_at"))
    for one in policy.newest:
        if one.table not in found.newest:
            yield _cannot(f"newest row of {one.table}", "the copy has no such table")
        elif snapshot is None:
            yield _cannot(f"newest row of {one.table}", "the manifest does not say when the snapshot was taken")
        else:
            recorded = _moment((manifest.get("newest") or {}).get(one.table))
            yield _newest_row(one, snapshot, recorded, found.newest[one.table], rpo)


def _newest_row(
    one: NewestRow, snapshot: datetime, recorded: datetime | None, newest: datetime | None, rpo: timedelta
) -> Finding:
    expected = f"at most {age(rpo)} behind the newest row recorded, at most {age(one.quiet)} before the snapshot"
    case = _case("newest row", expected, one.table)
    if newest is None:
        wanted = "no row" if recorded is None else moment(recorded)
        return case.failed("no row", f"{one.table} has no row with a time in {one.column}; recorded was {wanted}")
    told = f"newest row of {one.table} {moment(newest)}, snapshot {moment(snapshot)}"
    if recorded is not None and recorded - newest > rpo:
        lost = f"recorded was {moment(recorded)}: {age(recorded - newest)} are lost, allowed {age(rpo)}"
        return case.failed(moment(newest), f"The {told}; {lost}")
    if snapshot - newest > one.quiet:
        quiet = f"nothing for {age(snapshot - newest)}, allowed {age(one.quiet)}"
        return case.failed(moment(newest), f"The {told}: {quiet}", Severity.P2)
    return case.passed(moment(newest), f"The {told}")


def _canary(manifest: Mapping[str, Any], answer: Answer) -> Iterator[Finding]:
    measured = answer.first("contents.canary.matches")
    if not manifest.get("canary"):
        yield _cannot("canary", "the manifest names none")
    elif measured is None:
        yield _case("canary", "the row this backup planted").not_measured()
    else:
        case = _case("canary", "the row this backup planted", measured.labels.get("table", ""))
        yield case.either(measured, "The copy is of this very backup", "The copy is not of this backup")


def _indexes(answer: Answer) -> Iterator[Finding]:
    measured = list(answer.select("contents.index.sound"))
    available = answer.first("contents.index.checked")
    for one in measured:
        if one.value != 1:
            what = f"table {one.labels['table']}" if "table" in one.labels else f"index {one.labels['index']}"
            case = _case("indexes and heaps", "sound by amcheck", what, act=REINDEX)
            yield case.failed("corrupted", f"{what[0].upper()}{what[1:]} is corrupted: {one.detail}")
    if available is not None and not available.value:
        yield _cannot("indexes and heaps", available.detail)
    elif measured and all(one.value == 1 for one in measured):
        case = _case("indexes and heaps", "every B-tree index and table sound by amcheck")
        count = len(measured)
        yield case.passed(f"{count} of {count}", f"All {count} indexes and tables are sound, every row is in its index")

"""PostgreSQL's programs are found by the version they say they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from clo_ops.probes.pg_programs import ProgramMissing, libpq_environment, program, programs
from clo_ops.probes.targets import PostgresTarget


def install(folder: Path, name: str, version: str, code: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} (PostgreSQL) {version}"\nexit {code}\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing but what a test installs."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    monkeypatch.delenv("CLO_OPS_PG_BIN", raising=False)
    monkeypatch.setattr("clo_ops.probes.pg_programs.PACKAGES", ())
    monkeypatch.setattr("clo_ops.probes.pg_programs.PATTERNS", ())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return tmp_path


def test_newest_without_a_wish_and_the_oldest_new_enough_with_one(places: Path) -> None:
    for folder, version in (("first", "17.2"), ("second", "15.18 (Debian 15.18-0+deb12u1)")):
        install(places / folder, "pg_dump", version)
    assert program("pg_dump").major == 17
    assert program("pg_dump", 14).major == 15
    assert program("pg_dump", 16).major == 17


def test_exactly_is_exactly(places: Path) -> None:
    install(places / "first", "pg_restore", "17.2")
    assert program("pg_restore", 17, exactly=True).major == 17
    with pytest.raises(ProgramMissing, match=r"pg_restore of PostgreSQL 15 is not on this machine; found.*\(17\)"):
        program("pg_restore", 15, exactly=True)


def test_nothing_new_enough_says_what_was_found_and_how_to_get_it(places: Path) -> None:
    install(places / "first", "pg_dump", "15.3")
    with pytest.raises(ProgramMissing, match=r"pg_dump of PostgreSQL 17 or newer.*\(15\).*postgresql-client-17"):
        program("pg_dump", 17)


def test_named_directory_comes_first_and_one_that_does_not_run_is_passed_over(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(places / "first", "psql", "16.1", code=1)
    install(places / "named", "psql", "16.2")
    install(places / "second", "psql", "16.3")
    monkeypatch.setenv("CLO_OPS_PG_BIN", str(places / "named"))
    assert program("psql", 16).path == places / "named" / "psql"
    assert [one.version for one in programs("psql")] == ["psql (PostgreSQL) 16.2", "psql (PostgreSQL) 16.3"]


def test_development_versions_count(places: Path) -> None:
    install(places / "first", "pg_dump", "19devel")
    install(places / "second", "pg_dump", "18beta1")
    assert [one.major for one in programs("pg_dump")] == [19, 18]


def test_the_password_goes_by_the_environment_and_the_callers_own_settings_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    target = PostgresTarget("db", 5433, "clo", "clo_backup", "sesame")
    environment = libpq_environment(target)
    assert "PGSERVICE" not in environment
    assert (environment["PGPASSWORD"], environment["PGPORT"]) == ("sesame", "5433")
    assert "sesame" not in repr(target)

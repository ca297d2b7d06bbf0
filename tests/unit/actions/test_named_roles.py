"""The roles plain SQL names, so that psql does not stop at the first owner it meets."""

from __future__ import annotations

import pytest

from clo_ops.actions.drill.named_roles import LONGEST, named

SQL = b"""ALTER TABLE public.deal OWNER TO clo_owner;
ALTER FUNCTION public.f(a integer) OWNER TO "Mixed ""Case";
COPY public.deal (id, name) FROM stdin;
1\tALTER TABLE x OWNER TO nobody;
\\.
ALTER DEFAULT PRIVILEGES FOR ROLE clo_admin IN SCHEMA public GRANT SELECT ON TABLES TO clo_audit;
GRANT ALL ON SCHEMA public TO PUBLIC;
REVOKE ALL ON FUNCTION public.f(a integer) FROM clo_guest;
GRANT SELECT(id) ON TABLE public.deal TO clo_reader WITH GRANT OPTION;
"""
ROLES = {"clo_owner", 'Mixed "Case', "clo_admin", "clo_audit", "clo_guest", "clo_reader"}


@pytest.mark.parametrize("size", [1, 7, 64, len(SQL)])
def test_each_role_is_found_however_the_text_is_cut(size):
    assert named(SQL[at : at + size] for at in range(0, len(SQL), size)) == ROLES


def test_a_line_without_end_is_not_kept(monkeypatch):
    pieces = [b"x" * LONGEST, b"ALTER TABLE a OWNER TO b;" + b"x" * LONGEST, b"\nALTER TABLE a OWNER TO c;\n"]
    assert named(pieces) == {"c"}

"""Which flaws are known of the Python packages installed here: asked of a service that speaks the OSV protocol.

Names and versions of the packages leave the house, nothing else (M1-05, manual L169).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

from clo_ops.findings.performed import Performed, Row
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.rules.vulnerabilities import flaws, normal

if TYPE_CHECKING:
    import httpx

BATCH = 500
ASKED = "POST /v1/querybatch with every installed package and version; GET /v1/vulns/<id> for each flaw named"
# All requests together; a service that is slow is one that does not answer.
SPEND_AT_MOST = 600.0


def installed() -> dict[str, str]:
    """Every Python package of this interpreter with its version."""
    found = {normal(one.name): one.version for one in distributions() if one.name and one.version}
    return dict(sorted(found.items()))


def python_packages(parameters: Mapping[str, Any], packages: Mapping[str, str] | None = None) -> Performed:
    """One row for each package, or for each of its flaws: package, version, id, rating, fixed_in, summary.

    ``parameters``: ``source`` (base URL; None: the site has none) and ``seconds`` for each request. Raises Unreachable
    where there is no source, it does not answer, or its answer is not to be read.
    """
    packages = installed() if packages is None else packages
    source = parameters.get("source")
    if not source:
        raise Unreachable(Reach.OTHER, "no source: controls.yaml names no service that knows vulnerabilities")
    found = _ask(str(source).rstrip("/"), float(parameters["seconds"]), packages)
    rows = [row for name, version in packages.items() for row in _rows(name, version, found[name])]
    identity = {"source": str(source), "at": datetime.now(UTC).isoformat(), "packages": len(packages)}
    return Performed("probe", "python vulnerabilities", ASKED, dict(parameters), identity, rows)


def _rows(name: str, version: str, entries: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    blank = {"where": "", "package": name, "version": version}
    known = flaws(entries, name, version)
    if not known:
        yield {**blank, "id": "", "rating": "", "fixed_in": "", "summary": ""}
    for one in known:
        facts = {"rating": one.rating, "fixed_in": one.fixed_in, "summary": one.summary}
        yield {**blank, "id": " ".join(one.ids), **facts}


def _ask(source: str, seconds: float, packages: Mapping[str, str]) -> dict[str, list[Mapping[str, Any]]]:
    import httpx

    ends = time.monotonic() + SPEND_AT_MOST
    try:
        with httpx.Client(base_url=source, timeout=seconds, headers={"User-Agent": "clo-ops"}) as client:
            named = _named(client, packages, ends)
            entries = {one: _entry(client, one, ends) for one in sorted({one for ids in named.values() for one in ids})}
    except httpx.HTTPError as error:
        raise Unreachable(Reach.OTHER, f"{source}: {type(error).__name__}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreachable(Reach.OTHER, f"{source}: its answer is not of the OSV protocol: {error}") from None
    return {name: [entries[one] for one in ids] for name, ids in named.items()}


def _named(client: httpx.Client, packages: Mapping[str, str], ends: float) -> dict[str, list[str]]:
    """Ids of flaws by package. An answer in pages is asked to its end."""
    named: dict[str, list[str]] = {name: [] for name in packages}
    open_ones: list[tuple[str, str | None]] = [(name, None) for name in packages]
    while open_ones:
        batch, open_ones = open_ones[:BATCH], open_ones[BATCH:]
        queries = [_query(name, packages[name], page) for name, page in batch]
        results = _json(client, "POST", "/v1/querybatch", ends, {"queries": queries})["results"]
        for (name, _), result in zip(batch, results, strict=True):
            named[name] += [str(one["id"]) for one in (result or {}).get("vulns", ())]
            if page := (result or {}).get("next_page_token"):
                open_ones.append((name, page))
    return named


def _query(name: str, version: str, page: str | None) -> dict[str, Any]:
    query = {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
    return query | ({"page_token": page} if page else {})


def _entry(client: httpx.Client, name: str, ends: float) -> Mapping[str, Any]:
    from urllib.parse import quote

    entry = _json(client, "GET", f"/v1/vulns/{quote(name, safe='')}", ends)
    if entry["id"] != name:
        raise ValueError(f"asked for {name}, got {entry['id']}")
    return entry


def _json(client: httpx.Client, method: str, path: str, ends: float, body: Any = None) -> Mapping[str, Any]:
    if time.monotonic() > ends:
        raise Unreachable(Reach.TIMEOUT, f"{client.base_url}: not all answers within {SPEND_AT_MOST:g} s")
    answer = client.request(method, path, json=body)
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise ValueError(f"{path} gave a {type(found).__name__}")
    return found

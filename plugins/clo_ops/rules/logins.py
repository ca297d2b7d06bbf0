"""Who logged in from where, when, and after how long (WM-06, manual L110; resolutions D48, D60, D61)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from clo_ops.findings.performed import Judged, Row, Violation

NOWHERE = "no address"


def new_sources(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """A login from a network that is neither the house's nor one this user ever came from.

    ``known_networks`` are the house's; a source is told by its network of ``ipv4_prefix`` or ``ipv6_prefix`` bits.
    """
    house = [ip_network(one) for one in parameters["known_networks"]]
    bits = {4: parameters["ipv4_prefix"], 6: parameters["ipv6_prefix"]}
    seen: dict[tuple[str, str], Row] = {}
    for row in rows:
        network = network_of(row["source"], bits)
        known = {network_of(one, bits) for one in row["known_sources"]}
        if not _of_the_house(row["source"], house) and network not in known:
            seen.setdefault((row["username"], network), row)
    return Judged(_logins(rows), tuple(_new(row, network) for (_, network), row in sorted(seen.items())))


def _new(row: Row, network: str) -> Violation:
    said = f"first at {row['first_at'][:16]}; neither a network of the house nor one this account was seen from"
    return Violation(f"{row['username']} from {network}", said)


def network_of(source: str, bits: Mapping[int, int]) -> str:
    """The network a source belongs to; a source that is no address is itself."""
    try:
        address = ip_address(source)
    except ValueError:
        return source or NOWHERE
    return str(ip_network((address, bits[address.version]), strict=False))


def _of_the_house(source: str, house: Iterable[Any]) -> bool:
    try:
        address = ip_address(source)
    except ValueError:
        return False
    return any(address in network for network in house if network.version == address.version)


def out_of_hours(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """More than ``at_most`` logins of one account outside ``opens``..``closes`` (UTC hours) and at week-ends."""
    counted: Counter[str] = Counter()
    for row in rows:
        hour = datetime.fromisoformat(row["hour"])
        if hour.isoweekday() > 5 or not parameters["opens"] <= hour.hour < parameters["closes"]:
            counted[row["username"]] += row["logins"]
    limit = parameters["at_most"]
    broken = (
        Violation(name, f"{count} logins outside business hours, at most {limit}")
        for name, count in sorted(counted.items())
        if count > limit
    )
    return Judged(_logins(rows), tuple(broken))


def dormant(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """A login of an account that had not been used for more than ``days``.

    Where no earlier login is on record the account was unused at least since it was made or since the record begins,
    whichever is later: of the time before nobody knows.
    """
    limit = timedelta(days=parameters["days"])
    return Judged(_logins(rows), tuple(_woken(rows, limit)))


def _woken(rows: Sequence[Row], limit: timedelta) -> Iterator[Violation]:
    for row in sorted(rows, key=lambda one: (one["username"], one["first_at"])):
        at, last = datetime.fromisoformat(row["first_at"]), row["previous_at"]
        since = last or max(filter(None, (row["account_since"], row["record_since"])), default=row["first_at"])
        quiet = at - datetime.fromisoformat(since)
        if quiet > limit:
            roles = " and ".join(row["roles"]) or "no role"
            told = f"last used {last[:10]}" if last else f"not used since {since[:10]} at least"
            seen = f"logged in at {row['first_at'][:16]} from {row['source']}"
            yield Violation(row["username"], f"{roles}, {seen}, {told}")


def _logins(rows: Sequence[Row]) -> int:
    return sum(row["logins"] for row in rows)

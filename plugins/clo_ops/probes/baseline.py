"""Ask everything the morning baseline lists (DM-07, manual L23), each question for itself.

Light questions only: figures servers keep anyway, and endpoints without a login, for one more login every morning
would race DM-10 to DM-12 for the synthetic account's second-factor codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from clo_ops.findings import Answer, Measurement, Unanswered
from clo_ops.policy import Baseline, Policy
from clo_ops.probes import hosts, postgres, redis, web
from clo_ops.probes.business import business
from clo_ops.probes.targets import Account, HostTarget, PostgresTarget, PrometheusTarget, RedisTarget, WebTarget
from clo_ops.rules.baselines import listed, witnesses


@dataclass(frozen=True, slots=True)
class Everyone:
    """Whom the baseline asks. ``hosts`` come with their mounts; of ``endpoints`` those behind a login are not asked."""

    postgres: PostgresTarget
    redis: RedisTarget
    api: WebTarget
    hosts: Sequence[tuple[HostTarget, Sequence[str]]]
    endpoints: Sequence[web.Endpoint]
    synthetic_user: str
    prometheus: PrometheusTarget | None = None
    elsewhere: Mapping[str, WebTarget] = field(default_factory=dict)


class Reach(Protocol):
    """Where the policy's connections lead: ``clo_ops.orchestration.connections.Connections``."""

    @property
    def postgres(self) -> PostgresTarget: ...
    @property
    def redis(self) -> RedisTarget: ...
    @property
    def api(self) -> WebTarget: ...
    @property
    def account(self) -> Account: ...
    @property
    def prometheus(self) -> PrometheusTarget | None: ...
    def host(self, name: str, conn_id: str) -> HostTarget: ...
    def of_endpoints(self, policy: Policy) -> dict[str, WebTarget]: ...


def baseline(policy: Policy, reach: Reach, *, at: datetime) -> Answer:
    """``measure`` of everybody the policy names. Raises ConfigurationError for a connection that is not there."""
    everyone = Everyone(
        postgres=reach.postgres,
        redis=reach.redis,
        api=reach.api,
        hosts=[(reach.host(host.name, host.connection), host.mounts) for host in policy.hosts],
        endpoints=policy.endpoints,
        synthetic_user=reach.account.username,
        prometheus=reach.prometheus,
        elsewhere=reach.of_endpoints(policy),
    )
    return measure(everyone, policy.baseline, at=at)


def measure(everyone: Everyone, policy: Baseline, *, at: datetime) -> Answer:
    """The policy's metrics as they are now; business figures over the 24 hours before ``at``.

    Only what is listed is asked and kept, with the witnesses that tell why a listed metric has no figure
    (``rules.baselines.WITNESSES``). Whoever does not answer leaves his own questions open and nobody else's.
    """
    names = policy.names()
    asked = (ask(everyone, at) for prefix, ask in QUESTIONS if any(name.startswith(prefix) for name in names))
    answer = sum(asked, Answer())
    kept = listed(answer.measurements, policy) + witnesses(answer.measurements)
    return Answer(kept, answer.unanswered + tuple(_down(answer)))


# What other procedures judge as "it is down" is, to a baseline, a question without an answer.
DOWN = {"http.up": "duration of endpoint", "postgresql.connection.slot_free": "connections"}


def _down(answer: Answer) -> Iterator[Unanswered]:
    for one in answer.measurements:
        if one.name in DOWN and not one.value:
            asked = " ".join([DOWN[one.name], *one.labels.values()])
            yield Unanswered(asked, one.labels.get("endpoint", "postgresql"), one.name, one.detail, one.at)


def _hosts(everyone: Everyone, _: datetime) -> Answer:
    asked = (hosts.resources(host, mounts, everyone.prometheus) for host, mounts in everyone.hosts)
    return sum(asked, Answer())


def _redis(everyone: Everyone, _: datetime) -> Answer:
    """A Redis that answered and has no hit ratio was never read from: that is a figure, too."""
    answer = redis.usage(everyone.redis)
    used = answer.first("redis.memory.used")
    if used is None or answer.first("redis.cache.hit_ratio") or answer.first("redis.cache.reads"):
        return answer
    return answer + Answer((Measurement("redis.cache.reads", 0, "count", used.at),))


def _endpoints(everyone: Everyone, _: datetime) -> Answer:
    unlocked = [one for one in everyone.endpoints if not one.authenticated]
    return web.endpoints(everyone.api, unlocked, elsewhere=everyone.elsewhere)


# Which metrics a question answers, by how their names begin.
QUESTIONS: tuple[tuple[str, Callable[[Everyone, datetime], Answer]], ...] = (
    ("system.", _hosts),
    ("postgresql.connection.", lambda everyone, _: postgres.connections(everyone.postgres)),
    ("postgresql.database.size", lambda everyone, _: postgres.sizes(everyone.postgres)),
    ("postgresql.cache.", lambda everyone, _: postgres.cache_hit_ratio(everyone.postgres)),
    ("redis.", _redis),
    ("http.", _endpoints),
    ("clo.", lambda everyone, at: business(everyone.postgres, everyone.synthetic_user, at=at)),
)

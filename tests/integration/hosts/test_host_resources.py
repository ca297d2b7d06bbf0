"""A host asked over a real sshd, and here: good, broken in each way it can be, and with a disk that is really full."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clo_ops.findings import Answer
from clo_ops.probes import hosts, shell
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.targets import HostTarget

Host = Callable[..., HostTarget]
HERE = HostTarget("app1", "local")


def seen_all(answer: Answer) -> None:
    assert answer.unanswered == ()
    assert answer.value("host.up", host="app1") == 1
    assert 0 <= (answer.value("system.cpu.utilization", host="app1") or 0) <= 100
    assert 0 < (answer.value("system.memory.utilization", host="app1") or 0) < 100
    assert 0 < (answer.value("system.filesystem.utilization", host="app1", mount="/") or 0) <= 100
    assert (answer.value("system.uptime", host="app1") or 0) > 0
    assert (answer.value("system.cpu.count", host="app1") or 0) == os.cpu_count()
    assert answer.first("system.load.5m", host="app1") is not None


def why_not(host: HostTarget) -> str:
    """Nothing measured, and the reason."""
    answer = hosts.resources(host, ["/"])
    assert answer.measurements == ()
    (question,) = answer.unanswered
    assert question.target == str(host)
    return question.reason


def test_over_ssh(ssh_host: Host) -> None:
    seen_all(hosts.resources(ssh_host(), ["/"]))


def test_on_this_machine() -> None:
    seen_all(hosts.resources(HERE, ["/"]))


def test_a_known_hosts_file_serves_as_well(ssh_host: Host, sshd: Any, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {(sshd.folder / 'host.pub').read_text()}")
    key_file = str(sshd.folder / "user")
    host = ssh_host(host_key=None, known_hosts_file=str(known), private_key=None, key_file=key_file)
    assert hosts.resources(host, ["/"]).value("host.up") == 1


def test_a_bare_key_blob_serves_as_well(ssh_host: Host, sshd: Any) -> None:
    blob = (sshd.folder / "host.pub").read_text().split()[1]
    assert shell.run(ssh_host(host_key=blob), "echo $1", ["it's; quoted"]).out == "it's; quoted\n"


def test_an_unknown_host_key_is_never_taken_on_trust(ssh_host: Host, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    reason = why_not(ssh_host(host_key=None, known_hosts_file=str(tmp_path / "empty")))
    assert "unknown host key ssh-ed25519 SHA256:" in reason
    assert "host_key or known_hosts_file" in reason


def test_another_host_key_than_the_known_one(ssh_host: Host, sshd: Any) -> None:
    reason = why_not(ssh_host(host_key=(sshd.folder / "stranger.pub").read_text()))
    assert "another host key" in reason


def test_a_host_key_that_cannot_be_read(ssh_host: Host) -> None:
    assert "cannot be read" in why_not(ssh_host(host_key="ssh-ed25519 AAAAnonsense"))


def test_a_user_key_the_host_does_not_know(ssh_host: Host, sshd: Any) -> None:
    key = (sshd.folder / "stranger").read_text()
    reason = why_not(ssh_host(private_key=key))
    assert "authentication refused" in reason
    assert key.splitlines()[2] not in reason


def test_a_missing_key_file_is_told(ssh_host: Host) -> None:
    assert "/no/such/key" in why_not(ssh_host(private_key=None, key_file="/no/such/key"))


def test_a_host_whose_name_does_not_resolve(ssh_host: Host) -> None:
    assert Reach.NAME.value in why_not(ssh_host(address="no-such-host.invalid"))


def test_a_stopped_sshd_is_down_and_its_resources_unanswered(ssh_host: Host, sshd: Any) -> None:
    host = ssh_host()
    sshd.stop()
    answer = hosts.resources(host, ["/"])
    assert answer.value("host.up", host="app1") == 0
    assert len(answer.measurements) == 1
    assert "refused" in answer.unanswered[0].reason


def test_a_frozen_sshd_is_down_within_the_timeout(ssh_host: Host, sshd: Any) -> None:
    started = time.monotonic()
    os.kill(sshd.pid, signal.SIGSTOP)
    try:
        answer = hosts.resources(ssh_host(connect_timeout=1.0), ["/"])
    finally:
        os.kill(sshd.pid, signal.SIGCONT)
    assert answer.value("host.up") == 0
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("transport", ["ssh", "local"])
def test_a_script_that_hangs_is_given_up(transport: str, ssh_host: Host) -> None:
    started = time.monotonic()
    host = ssh_host(transport=transport, command_timeout=0.5)
    with pytest.raises(Unreachable, match=r"did not end in 0\.5 s"):
        shell.run(host, "sleep 30 & sleep 30")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("transport", ["ssh", "local"])
def test_output_is_capped(transport: str, ssh_host: Host) -> None:
    done = shell.run(ssh_host(transport=transport), "yes | head -c 1000000; echo loud >&2; exit 7")
    assert (done.code, len(done.out), done.err) == (7, shell.MOST_OUTPUT, "loud\n")


def test_a_hanging_df_does_not_hide_the_rest(ssh_host: Host, sshd: Any) -> None:
    """As a dead network file system does it; ``timeout`` ends it, here sooner than in the script."""
    sshd.program("timeout", 'shift; exec /usr/bin/timeout 0.3 "$@"')
    sshd.program("df", "exec sleep 30")
    answer = hosts.resources(ssh_host(), ["/"])
    assert answer.first("system.memory.utilization") is not None
    assert answer.unanswered[0].question == "disk use of /"


def test_a_mount_that_is_not_there_is_unanswered_by_itself() -> None:
    answer = hosts.resources(HERE, ["/", "/no/such/mount"])
    assert answer.first("system.filesystem.utilization", mount="/") is not None
    assert answer.unanswered[0].question == "disk use of /no/such/mount"


def test_a_path_that_is_no_mount_says_where_it_lies(tmp_path: Path) -> None:
    found = hosts.resources(HERE, [str(tmp_path)]).first("system.filesystem.utilization", mount=str(tmp_path))
    assert found is not None
    assert "on the file system mounted at /" in found.detail


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "clo test", place]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"may not mount here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_full(small_disk: Path) -> None:
    def use() -> float | None:
        return hosts.resources(HERE, [str(small_disk)]).value("system.filesystem.utilization", mount=str(small_disk))

    assert use() == 0
    (small_disk / "half").write_bytes(b"x" * 512 * 1024)
    assert use() == 50
    (small_disk / "rest").write_bytes(b"x" * 512 * 1024)
    assert use() == 100


def test_a_busy_processor_is_seen() -> None:
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)]
    try:
        assert (hosts.resources(HERE, ["/"]).value("system.cpu.utilization") or 0) > 60
    finally:
        for one in busy:
            one.kill()
            one.wait()


def test_prometheus_without_a_connection_is_unanswered() -> None:
    answer = hosts.resources(HostTarget("app1", "prometheus"), ["/"])
    assert "clo_prometheus" in answer.unanswered[0].reason

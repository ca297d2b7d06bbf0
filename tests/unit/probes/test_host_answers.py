"""What the host script prints is read strictly: figures are right, and anything else is no answer."""

from __future__ import annotations

import pytest

from clo_ops.probes.hosts import Garbled, read
from clo_ops.probes.targets import HostTarget

HOST = HostTarget("app1", "local")
GOOD = """clo_ops_host_resources 1
cpu_before 100 0 100 700 100 0 0 0 0 0
cpu_after 150 0 120 720 110 0 0 0 0 0
memory_total_kb 1000
memory_available_kb 250
swap_total_kb 100
swap_free_kb 90
uptime_s 12.5
load 0.1 0.2 0.3
processors 4
mount 0 /dev/sda 1 1000 600 300 67% /
mount 1 clo disk 1000 1000 0 100% /var/data of clo
no_mount 2 df: /gone: No such file or directory
end
"""
MOUNTS = ["/", "/var/data of clo", "/gone"]


def test_figures() -> None:
    answer = read(HOST, MOUNTS, GOOD)
    assert answer.value("system.cpu.utilization") == 70
    assert answer.value("system.memory.utilization") == 75
    assert answer.value("system.swap.utilization") == pytest.approx(10)
    assert answer.value("system.load.5m") == 0.2
    assert answer.value("system.uptime") == 12.5
    assert answer.value("system.filesystem.utilization", mount="/") == pytest.approx(100 * 600 / 900)
    assert answer.value("system.filesystem.utilization", mount="/var/data of clo") == 100
    assert [one.question for one in answer.unanswered] == ["disk use of /gone"]


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("end\n", ""),
        ("clo_ops_host_resources 1\n", ""),
        ("memory_available_kb 250", "memory_available_kb lots"),
        ("memory_available_kb 250", "memory_available_kb 1001"),
        ("memory_available_kb 250\n", ""),
        ("uptime_s 12.5", "uptime_s"),
        ("load 0.1 0.2 0.3", "load 0.1"),
        ("cpu_after 150 0 120 720 110 0 0 0", "cpu_after 100 0 100 700 100 0 0 0"),
        ("cpu_after 150 0 120 720 110 0 0 0 0 0\n", ""),
    ],
)
def test_anything_else_is_no_answer(line: str, instead: str) -> None:
    assert line in GOOD
    with pytest.raises(Garbled):
        read(HOST, MOUNTS, GOOD.replace(line, instead))


@pytest.mark.parametrize("line", ["mount 0 ", "mount 0 /dev/sda - - - - /", "mount 0 /dev/sda 0 0 0 0% /"])
def test_a_mount_without_figures_is_unanswered_by_itself(line: str) -> None:
    answer = read(HOST, MOUNTS, GOOD.replace("mount 0 /dev/sda 1 1000 600 300 67% /", line))
    assert [one.question for one in answer.unanswered] == ["disk use of /", "disk use of /gone"]
    assert answer.value("system.filesystem.utilization", mount="/var/data of clo") == 100


NETWORK = """net_before eth0 1000 5000
net_before ens1 900 100
net_after eth0 12501000 5000
net_after ens1 100 1100
net_speed eth0 1000
net_speed ens1 -1
"""


def test_network_is_told_by_interface_and_direction_and_by_its_share_where_the_link_has_a_speed() -> None:
    answer = read(HOST, [], GOOD.replace("memory_total", NETWORK + "memory_total"))
    eth0 = {"interface": "eth0", "direction": "in"}
    assert answer.value("network.io.rate", **eth0) == 12_500_000
    assert answer.value("network.io.utilization", **eth0) == pytest.approx(10)
    assert answer.value("network.io.utilization", interface="eth0", direction="out") == 0
    assert answer.value("network.io.rate", interface="ens1", direction="out") == 1000
    assert answer.first("network.io.rate", interface="ens1", direction="in") is None, "a counter that began anew"
    assert answer.first("network.io.utilization", interface="ens1") is None, "a link without a speed"


def test_a_network_line_cut_short_is_no_answer() -> None:
    with pytest.raises(Garbled, match="net_after eth0"):
        read(HOST, [], GOOD.replace("memory_total", "net_before eth0 1 1\nnet_after eth0 2\nmemory_total"))

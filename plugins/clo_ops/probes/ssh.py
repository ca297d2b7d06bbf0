"""An SSH session with a host whose identity is known beforehand. Imported only where one is opened: paramiko is heavy.

There is no way to switch the host key check off: whoever answers on the address would be believed, and given the
password.
"""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import paramiko

from clo_ops.probes.reaching import Reach, Unreachable, how_it_ended
from clo_ops.probes.shell import Done
from clo_ops.probes.targets import HostTarget

ADD_KEY = (
    "Compare the fingerprint with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), "
    "then put the key into the connection's host_key or known_hosts_file"
)
# What paramiko says when TCP stands and nobody speaks SSH on the other end in time.
NO_GREETING = ("banner", "No existing session")


class _UnknownKey(Exception):
    """The host showed a key nobody told us about."""


class _Refuse(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        del client
        raise _UnknownKey(f"{hostname} shows an unknown host key {key.get_name()} {key.fingerprint}")


@dataclass(frozen=True, slots=True)
class Session:
    host: HostTarget
    client: paramiko.SSHClient

    def run(self, command: str, given: str, most: int) -> Done:
        """Run ``command`` with ``given`` on its standard input; each stream cut at ``most`` bytes."""
        transport = self.client.get_transport()
        if transport is None:
            raise Unreachable(Reach.SILENT, f"{self.host}: the session ended")
        channel = transport.open_session(timeout=self.host.connect_timeout)
        try:
            channel.settimeout(self.host.connect_timeout)
            channel.exec_command(command)
            channel.sendall(given.encode())
            channel.shutdown_write()
            return _gather(self.host, channel, most)
        finally:
            channel.close()

    @contextmanager
    def stream(self, command: str, given: str, seconds: float) -> Iterator[IO[bytes]]:
        """What ``command``, given that on its standard input, says, as it comes; given up after ``seconds``."""
        transport = self.client.get_transport()
        if transport is None:
            raise Unreachable(Reach.SILENT, f"{self.host}: the session ended")
        channel = transport.open_session(timeout=self.host.connect_timeout)
        timer = threading.Timer(seconds, channel.close)
        timer.daemon = True
        timer.start()
        try:
            channel.settimeout(self.host.command_timeout)
            channel.exec_command(command)
            channel.sendall(given.encode())
            channel.shutdown_write()
            yield cast(IO[bytes], channel.makefile("rb", 1 << 16))
        finally:
            timer.cancel()
            channel.close()


def _gather(host: HostTarget, channel: paramiko.Channel, most: int) -> Done:
    """Read both streams until the command has ended; what is over ``most`` is read and dropped, so that it can end."""
    deadline = time.monotonic() + host.command_timeout
    out, err = bytearray(), bytearray()
    while not (channel.exit_status_ready() and not channel.recv_ready() and not channel.recv_stderr_ready()):
        if time.monotonic() > deadline:
            raise Unreachable(Reach.SILENT, f"{host}: the script did not end in {host.command_timeout:g} s")
        ready = False
        if channel.recv_ready():
            ready = bool(_keep(out, channel.recv(32768), most))
        if channel.recv_stderr_ready():
            ready = bool(_keep(err, channel.recv_stderr(32768), most)) or ready
        if not ready:
            time.sleep(0.02)
    return Done(channel.recv_exit_status(), out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def _keep(kept: bytearray, part: bytes, most: int) -> int:
    kept += part[: max(0, most - len(kept))]
    return len(part)


def _lookup_name(host: HostTarget) -> str:
    return host.address if host.port == paramiko.config.SSH_PORT else f"[{host.address}]:{host.port}"


def _trust(client: paramiko.SSHClient, host: HostTarget) -> None:
    """``host_key`` as in known_hosts ("ssh-ed25519 AAAA..." or the bare blob), else ``known_hosts_file``, else ours."""
    if host.host_key:
        name, key = _host_key(host)
        client.get_host_keys().add(_lookup_name(host), name, key)
    elif host.known_hosts_file:
        client.load_host_keys(host.known_hosts_file)
    elif Path("~/.ssh/known_hosts").expanduser().is_file():
        client.load_system_host_keys()


def _host_key(host: HostTarget) -> tuple[str, paramiko.PKey]:
    blob = str(host.host_key).split()[:2][-1]
    try:
        raw = base64.b64decode(blob, validate=True)
        name = paramiko.Message(raw).get_text()
        return name, paramiko.PKey.from_type_string(name, raw)
    except (ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        said = f"{host}: the connection's host_key cannot be read ({type(error).__name__})"
        raise Unreachable(Reach.IDENTITY, said, 'write it as in known_hosts: "ssh-ed25519 AAAA..."') from None


def _private_key(host: HostTarget) -> paramiko.PKey | None:
    if host.private_key is None:
        return None
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(host.private_key), password=host.password)
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise Unreachable(Reach.AUTHENTICATION, f"{host}: the connection's private_key cannot be read")


def _unreachable(error: Exception, host: HostTarget) -> Unreachable:
    if isinstance(error, _UnknownKey):
        return Unreachable(Reach.IDENTITY, str(error), ADD_KEY)
    if isinstance(error, paramiko.BadHostKeyException):
        said = f"{host} shows another host key ({error.key.fingerprint}) than the one known"
        return Unreachable(Reach.IDENTITY, said, f"Find out why before anything else. {ADD_KEY}")
    if isinstance(error, paramiko.AuthenticationException):
        return Unreachable(Reach.AUTHENTICATION, f"{host}: {Reach.AUTHENTICATION.value}: {error}")
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        error = next(iter(error.errors.values()))
    silent = any(words in str(error) for words in NO_GREETING)
    reach = Reach.SILENT if silent else how_it_ended(error)
    return Unreachable(reach, f"{host}: {reach.value}: {error or type(error).__name__}")


@contextmanager
def session(host: HostTarget) -> Iterator[Session]:
    """A session of the host's user; closed on the way out. Raises Unreachable, with no secret in its text."""
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_Refuse())
    try:
        _trust(client, host)
        client.connect(
            host.address,
            port=host.port,
            username=host.user,
            password=host.password,
            pkey=_private_key(host),
            key_filename=host.key_file,
            timeout=host.connect_timeout,
            banner_timeout=host.connect_timeout,
            auth_timeout=host.connect_timeout,
            allow_agent=False,
            look_for_keys=False,
        )
        yield Session(host, client)
    except (paramiko.SSHException, OSError, EOFError, _UnknownKey) as error:
        raise _unreachable(error, host) from None
    finally:
        client.close()

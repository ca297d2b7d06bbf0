"""COPY read by the block: psycopg's own way waits anew for each row, which at millions of rows is most of the time."""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGconn, PGresult

BLOCK = 4 * 1024 * 1024


def blocks(connection: psycopg.Connection[Any], query: bytes) -> Iterator[bytearray]:
    """Whole lines of what the statement sends, up to BLOCK bytes and one line at a time.

    Bounded like every statement of the session: by the server, and by the connection's patience on this side. Raises
    psycopg.Error. Left early, the statement is cancelled.
    """
    pgconn, patience = connection.pgconn, getattr(connection, "patience", None)
    pgconn.send_query(query)
    _begun(pgconn, patience)
    ended, empty = False, False
    try:
        block = bytearray()
        while True:
            length, line = pgconn.get_copy_data(1)
            if length > 0:
                block += line
                empty = False
                if len(block) >= BLOCK:
                    yield block
                    block = bytearray()
            elif length == 0:
                # What has come already is taken without waiting: who waits hands the interpreter to whoever counts
                # beside this, and gets it back milliseconds later.
                _wait(pgconn, patience) if empty else pgconn.consume_input()
                empty = not empty
            else:
                break
        ended = True
        _ended(pgconn, patience)
        if block:
            yield block
    finally:
        if not ended:
            _abandoned(connection, patience)


def _wait(pgconn: PGconn, patience: float | None) -> None:
    from psycopg import OperationalError

    if not select.select([pgconn.socket], [], [], patience)[0]:
        raise OperationalError(f"nothing came for {patience:g} s")
    pgconn.consume_input()


def _result(pgconn: PGconn, patience: float | None) -> PGresult | None:
    while pgconn.is_busy():
        _wait(pgconn, patience)
    return pgconn.get_result()


def _begun(pgconn: PGconn, patience: float | None) -> None:
    from psycopg import OperationalError, errors
    from psycopg.pq import ExecStatus

    result = _result(pgconn, patience)
    if result is None or result.status != ExecStatus.COPY_OUT:
        while result is not None and pgconn.get_result():
            pass
        raise errors.error_from_result(result) if result else OperationalError("no answer to COPY")


def _ended(pgconn: PGconn, patience: float | None) -> None:
    """The statement's own end: an error after the last row is one all the same."""
    from psycopg import errors
    from psycopg.pq import ExecStatus

    failed = None
    while (result := _result(pgconn, patience)) is not None:
        if result.status != ExecStatus.COMMAND_OK:
            failed = failed or result
    if failed is not None:
        raise errors.error_from_result(failed)


def _abandoned(connection: psycopg.Connection[Any], patience: float | None) -> None:
    """Nobody wants the rest: the session is usable again, or closed where it does not answer."""
    import psycopg

    pgconn = connection.pgconn
    try:
        connection.cancel()
        while (length := pgconn.get_copy_data(1)[0]) >= 0:
            if length == 0:
                _wait(pgconn, patience)
        while _result(pgconn, patience) is not None:
            pass
    except psycopg.Error:
        connection.close()

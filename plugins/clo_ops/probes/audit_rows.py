"""Audit rows in bulk: as COPY text sends them, as Parquet keeps them, and the hash the chain is made of.

The hash is worked out here and not by the database's own function: whoever can change rows there can change that too.
A row's text is what ``audit_row_hash`` of the CLO database hashes: the hash before, then a JSON array of its columns.
"""

from __future__ import annotations

from binascii import hexlify
from hashlib import sha256
from itertools import pairwise
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

COLUMNS = ("id", "created_at", "actor", "action", "object_type", "object_id", "detail", "prev_hash", "row_hash")
# As the catalogue of the CLO database must have them: a column that is not carried would be lost with its row.
TYPES = dict(zip(COLUMNS, ("bigint", "timestamp with time zone", *["text"] * 4, "jsonb", "text", "text"), strict=True))
FEW_VALUES = ("actor", "action", "object_type")
# What JSON cannot hold as it is.
ESCAPED = r'[\x00-\x1f"\\]'
PARSED_AT_ONCE = 1024 * 1024  # what the parser works on stays in the processor's own cache
DIGITS = 64  # of a hash in hex


class NotARow(Exception):
    """What came is not rows of an audit trail; the text says which."""


def schema() -> pa.Schema:
    """Exact: 64-bit ids, microseconds in UTC, text, and jsonb as PostgreSQL writes it out."""
    import pyarrow as pa

    kinds = {"id": pa.int64(), "created_at": pa.timestamp("us", tz="UTC")}
    nullable = ("object_type", "object_id")
    return pa.schema([pa.field(name, kinds.get(name, pa.string()), nullable=name in nullable) for name in COLUMNS])


def parsed(block: bytes | bytearray) -> pa.Table:
    """The rows of whole lines of COPY text. Raises NotARow."""
    import pyarrow as pa
    from pyarrow import csv

    try:
        table = csv.read_csv(
            pa.BufferReader(pa.py_buffer(block)),
            csv.ReadOptions(column_names=list(COLUMNS), use_threads=False, block_size=PARSED_AT_ONCE),
            csv.ParseOptions(delimiter="\t", quote_char=False, escape_char=False),
            csv.ConvertOptions(
                column_types={field.name: field.type for field in schema()},
                null_values=["\\N"],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise NotARow(f"what COPY sent cannot be read: {error}") from None
    return _as_written(table.combine_chunks(), block.count(b"\\")).cast(schema())


def _as_written(table: pa.Table, backslashes: int) -> pa.Table:
    """Without what COPY escaped: nearly always in the JSON alone, and then no other column is looked at."""
    left = backslashes - sum(table[name].null_count for name in COLUMNS)
    if left:
        plain = _unescaped("detail", table["detail"])
        left -= 2 * (_size(table["detail"]) - _size(plain))  # of each pair one is gone
        table = table.set_column(COLUMNS.index("detail"), "detail", plain)
    if left:
        for name in [one for one in COLUMNS[2:] if one != "detail"]:
            table = table.set_column(COLUMNS.index(name), name, _unescaped(name, table[name]))
    return table.combine_chunks()


def _size(column: Any) -> int:
    """Bytes of its texts."""
    import pyarrow.compute as pc  # type: ignore[import-untyped]

    return int(pc.sum(pc.binary_length(column)).as_py() or 0)


def _unescaped(name: str, column: Any) -> Any:
    """COPY doubles backslashes; of the control characters jsonb's own text has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if name == "detail":
        return pc.replace_substring(column, "\\\\", "\\")
    plain = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

    if not pc.any(pc.match_substring(column, "\\")).as_py():
        return column

    def one(value: str | None) -> str | None:
        if value is None or "\\" not in value:
            return value
        first, *parts = value.replace("\\\\", "\\\0").split("\\")
        return first + "".join("\\" + part[1:] if part[:1] == "\0" else plain[part[0]] + part[1:] for part in parts)

    return pa.chunked_array([pa.array([one(value) for value in column.to_pylist()], pa.string())])


def _quoted(column: Any, behind: str = ", ") -> Any:
    """Each text as JSON, the missing as null, and what stands behind it. Names repeat: each is quoted once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        return pc.take(_quoted(column.dictionary), column.indices).fill_null(f"null{behind}")
    if pc.any(pc.match_substring_regex(column, ESCAPED)).as_py():
        texts = (None if one is None else encode_basestring(one) for one in column.to_pylist())
        return pa.array([("null" if one is None else one) + behind for one in texts], pa.string())
    return pc.fill_null(pc.binary_join_element_wise('"', column, f'"{behind}', ""), f"null{behind}")


def canonical(table: pa.Table) -> pa.Array:
    """What is hashed of each row, as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = {name: _one(table[name]) for name in COLUMNS}
    for name in FEW_VALUES:
        column[name] = column[name].dictionary_encode()
    # Always six digits. Without its zone (UTC, nothing moves) a time is written out many times faster.
    time = pc.binary_replace_slice(pc.cast(column["created_at"].cast(pa.timestamp("us")), pa.string()), 10, 11, "T")
    texts = [_quoted(column[name]) for name in ("actor", "action", "object_type", "object_id")]
    parts = [column["prev_hash"], "[", pc.cast(column["id"], pa.string()), ', "', time, 'Z", ', *texts]
    return pc.binary_join_element_wise(*parts, column["detail"], "]", "")


def _one(column: Any) -> Any:
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def recomputed(texts: pa.Array) -> bytes:
    """The hash each row should have by its text, ``DIGITS`` lower-case hex digits each, one behind the other."""
    data, ends = _texts(texts)
    return hexlify(b"".join([sha256(data[start:end]).digest() for start, end in pairwise(ends.tolist())]))


def content(table: pa.Table) -> memoryview:
    """What the canonical hash of a file's content is made of: the row hashes in order, as they are stored."""
    data, ends = _texts(_one(table["row_hash"]))
    return data[int(ends[0]) : int(ends[-1])]


def hashes(table: pa.Table) -> bytes | None:
    """The same; None where one of them has not ``DIGITS`` digits, so that they cannot be told from each other."""
    import numpy as np

    data, ends = _texts(_one(table["row_hash"]))
    return bytes(data[int(ends[0]) : int(ends[-1])]) if bool(np.all(np.diff(ends) == DIGITS)) else None


def _texts(column: pa.Array) -> tuple[memoryview, Any]:
    """The bytes of all texts, and where in them each one ends and the next one begins."""
    import numpy as np

    if not len(column):
        return memoryview(b""), np.zeros(1, dtype=np.int32)
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return memoryview(data) if data is not None else memoryview(b""), ends


def copy_text(table: pa.Table) -> bytes:
    """The rows as COPY text, for the way back into a table."""
    lines = []
    for row in zip(*(table[name].to_pylist() for name in COLUMNS), strict=True):
        lines.append("\t".join(map(_cell, row)) + "\n")
    return "".join(lines).encode()


def _cell(value: Any) -> str:
    if value is None:
        return "\\N"
    if not isinstance(value, str):
        return value.isoformat() if hasattr(value, "isoformat") else str(value)
    escaped = value.replace("\\", "\\\\")
    for character, written in (("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        escaped = escaped.replace(character, written)
    return escaped

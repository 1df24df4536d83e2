"""Parquet: typed columns, read value by value. Pickles are never loaded, and nothing is executed."""

from __future__ import annotations

import io
from typing import Any

from rebalancer.errors import Faults, printable
from rebalancer.reading import limits
from rebalancer.reading.raw import Grid


def read_parquet(content: bytes, file: str, faults: Faults) -> Grid | None:
    """The lines of one Parquet file; None after noting why it can't be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pq.ParquetFile(io.BytesIO(content))
        if not _is_within_limits(source.metadata, file, faults):
            return None
        table = source.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        problem = f"the file is no readable Parquet file ({printable(str(error), 120)})."
        faults.error("parquet", problem, "It may be cut short: export it again.", file=file)
        return None
    names = [str(name) for name in table.column_names]
    columns = [_column(table.column(i), name, file, faults) for i, name in enumerate(names)]
    lines = [names, *map(list, zip(*columns, strict=True))]
    return Grid(file, lines, range(1, len(lines) + 1), ragged=False)


def _is_within_limits(metadata: Any, file: str, faults: Faults) -> bool:
    unpacked = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    counts = (
        ("rows in the file", metadata.num_rows, limits.MAX_ROWS),
        ("columns", metadata.num_columns, limits.MAX_COLUMNS),
        ("cells", metadata.num_rows * metadata.num_columns, limits.MAX_CELLS),
        ("bytes after unpacking", unpacked, limits.MAX_UNPACKED),
    )
    return all(limits.within(what, value, limit, faults, file=file) for what, value, limit in counts)


def _column(column: Any, name: str, file: str, faults: Faults) -> list[Any]:
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_struct(kind) or pa.types.is_map(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        faults.warn("unused_column", f'the column "{printable(name)}" holds {kind}, which is no text.', file=file)
        return [""] * len(column)
    return column.to_pylist()

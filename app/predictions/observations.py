"""Reading observations, a chunk at a time: CSV, or Parquet where pyarrow is installed."""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.card import ModelCard
from app.errors import InputRefused

BYTES_AT_ONCE = 2**18
"""Of each column of a Parquet file."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of an input.

    Attributes:
        first: the number of the first, from 0.
        values: shape (n, features), NaN where a cell is missing or no number.
        share: 0..1 of the input that has been read.
    """

    first: int
    values: NDArray[np.float64]
    share: float


def digest(path: Path) -> str:
    """The sha256 of an input, in hex.

    Raises:
        InputRefused: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise InputRefused(f"{path} cannot be read ({exc.strerror}): give a CSV or Parquet file") from exc


def read(path: Path, features: Sequence[str], rows: int) -> Iterator[Chunk]:
    """The columns called as the features, `rows` at a time; others are ignored.

    Raises:
        InputRefused: a column is missing, or the file cannot be read.
    """
    return _parquet(path, features, rows) if path.suffix.lower() in (".parquet", ".pq") else _csv(path, features, rows)


def _csv(path: Path, features: Sequence[str], rows: int) -> Iterator[Chunk]:
    try:
        size = max(path.stat().st_size, 1)
        # what is no UTF-8 is no number either, and refused with its row
        with path.open("rb") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as file:
            # a blank line, such as an editor leaves at the end, is no row
            lines = (cells for cells in csv.reader(file) if len(cells) > 1 or "".join(cells).strip())
            columns = _columns(path, next(lines, []), features)
            first = 0
            while cells := list(islice(lines, rows)):
                yield Chunk(first, _numbers(cells, columns), min(1.0, raw.tell() / size))
                first += len(cells)
    except csv.Error as exc:
        raise InputRefused(f"{path} is no CSV ({exc}): give a file with a header and a row per observation") from exc
    except OSError as exc:
        raise InputRefused(f"{path} cannot be read ({exc.strerror}): give a CSV or Parquet file") from exc


def _columns(path: Path, header: Sequence[str], features: Sequence[str]) -> list[int]:
    names = [name.strip() for name in header]
    if missing := [feature for feature in features if feature not in names]:
        raise InputRefused(f"{path} lacks the columns {', '.join(missing)}: its header must name every feature of the model")
    if twice := [feature for feature in features if names.count(feature) > 1]:
        raise InputRefused(f"{path} has the columns {', '.join(twice)} more than once: name each feature once")
    return [names.index(feature) for feature in features]


def _numbers(cells: list[list[str]], columns: list[int]) -> NDArray[np.float64]:
    try:
        return np.array([[float(row[column]) for column in columns] for row in cells])
    except (ValueError, IndexError):
        return np.array([[_number(row, column) for column in columns] for row in cells])


def _number(row: list[str], column: int) -> float:
    try:
        return float(row[column])
    except (ValueError, IndexError):
        return float("nan")


def _parquet(path: Path, features: Sequence[str], rows: int) -> Iterator[Chunk]:
    try:
        import pyarrow as pa  # noqa: PLC0415  an extra, and heavy
        from pyarrow import parquet  # noqa: PLC0415  as above
    except ImportError as exc:
        raise InputRefused("Parquet needs pyarrow: install deployment-strategy-lab[parquet], or give a CSV file") from exc
    try:
        # by itself pyarrow reads a whole row group beforehand, and a file of a million rows may be one
        with parquet.ParquetFile(path, buffer_size=BYTES_AT_ONCE, pre_buffer=False) as file:
            _columns(path, file.schema_arrow.names, features)
            total = max(file.metadata.num_rows, 1)
            first = 0
            for batch in file.iter_batches(batch_size=rows, columns=list(features)):
                arrays = [batch.column(batch.schema.get_field_index(name)).cast(pa.float64()) for name in features]
                values = np.column_stack([array.to_numpy(zero_copy_only=False) for array in arrays]).astype(np.float64)
                yield Chunk(first, values, (first + len(values)) / total)
                first += len(values)
    except (pa.ArrowException, OSError) as exc:
        said = next(iter(str(exc).splitlines()), type(exc).__name__)
        raise InputRefused(f"{path} cannot be read as Parquet ({said}): give columns of numbers, called as the model's features") from exc


def refusals(values: NDArray[np.float64], card: ModelCard) -> dict[int, str]:
    """Which rows are no observation of this model, and why: the first feature that is missing, not finite or out of range."""
    least = np.array([feature.minimum for feature in card.features])
    most = np.array([feature.maximum for feature in card.features])
    # written so that NaN is wrong as well
    wrong = ~((values >= least) & (values <= most))
    said = {}
    for row in np.flatnonzero(wrong.any(axis=1)).tolist():
        column = int(wrong[row].argmax())
        feature, value = card.features[column], float(values[row, column])
        what = "is missing or no number" if np.isnan(value) else f"is {value:g}, and not from {feature.minimum:g} to {feature.maximum:g}"
        said[row] = f"{feature.name} {what}"
    return said

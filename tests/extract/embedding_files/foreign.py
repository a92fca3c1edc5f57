"""Files of embeddings as other programs write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

N = 12
LABELS = ["cat", "dog"] * 6
PATHS = [f"pictures/{i:02}.jpg" for i in range(N)]
X = np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32)


def parquet(folder: Path, **columns: Any) -> Path:
    """Write a Parquet file; None leaves out a column."""
    given = {"path": PATHS, "label": LABELS, "embedding": X.tolist(), **columns}
    kept = {name: values for name, values in given.items() if values is not None}
    pq.write_table(pa.table(kept), folder / "e.parquet")
    return folder / "e.parquet"


def npz(folder: Path, **arrays: Any) -> Path:
    """Write a npz file; None leaves out an array."""
    given = {"paths": PATHS, "labels": LABELS, "embeddings": X, **arrays}
    np.savez(folder / "e.npz", **{k: v for k, v in given.items() if v is not None})
    return folder / "e.npz"


def npy(folder: Path, values: Any = X, table: str | None = None) -> Path:
    """Write a npy file with a table beside it."""
    np.save(folder / "e.npy", values)
    lines = ["path,label", *(f"{p},{label}" for p, label in zip(PATHS, LABELS, strict=True))]
    (folder / "e.csv").write_text("\n".join(lines) if table is None else table)
    return folder / "e.npy"

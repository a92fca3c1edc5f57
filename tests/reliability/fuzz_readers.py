"""Whatever the readers are given, they read it or raise the toolkit's own errors.

Hypothesis makes the inputs, until the time is over: the data set's table (text, Excel, Parquet),
corrected labels, archives, the predictions' CSV file, the run record and what is rendered of it,
the recipe, and the image header check with the decoder behind it.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import csv
import dataclasses
import functools
import io
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402 - the path above comes first
from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402 - the path above
from hypothesis import strategies as st  # noqa: E402 - the path above comes first

from extract.datasets.corrections import apply_corrections  # noqa: E402 - the path above
from extract.datasets.dataset import Dataset, Item  # noqa: E402 - the path above comes first
from extract.datasets.layouts import read_dataset  # noqa: E402 - the path above comes first
from extract.datasets.sources.archive import check_archive  # noqa: E402 - the path above comes first
from extract.errors import ArchiveError, DataError, ImageError, RecipeError  # noqa: E402 - the path
from extract.images import decoding  # noqa: E402 - the path above comes first
from extract.recipe import Recipe  # noqa: E402 - the path above comes first
from reports import tables  # noqa: E402 - the path above comes first
from reports.errors import RecordError  # noqa: E402 - the path above comes first
from reports.pages import page  # noqa: E402 - the path above comes first
from reports.pages.comparison import format_comparison  # noqa: E402 - the path above comes first
from reports.ranking import best_in_validation  # noqa: E402 - the path above comes first
from reports.reading import parse_record  # noqa: E402 - the path above comes first
from tests.extract.datasets.sources import tar_samples  # noqa: E402 - the path above comes first
from tests.extract.pictures import (  # noqa: E402 - the path above comes first
    HAS_DICOM,
    KINDS,
    medical,
    moving,
    saved,
)
from tests.reliability import archives  # noqa: E402 - the path above comes first
from tests.reports.samples import sample  # noqa: E402 - the path above comes first
from toolkit.errors import ToolkitError  # noqa: E402 - the path above comes first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEED = 22
SECONDS, SECONDS_FULL = 2.0, 600.0
EXAMPLES_A_ROUND = 50

# --- inputs --------------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
# Numbers that are wrong in a way that a figure or an axis may not expect.
ODD = st.sampled_from([0, -1, 1, 2**63, 1e308, -1e308, 1e-308, float("inf"), float("nan"), "", []])
# As deep as json writes it.
DEEP = st.integers(10, 900).map(lambda depth: functools.reduce(lambda x, _: [x], range(depth), 0))
FITTING = st.sampled_from(["VGG-19", "avg", "max", "tf", "torch", 64, 2048, True, False, None])


@st.composite
def mutated(draw: st.DrawFn, samples: list[bytes]) -> bytes:
    """Return one of the samples with a few bytes overwritten, put in, taken out or cut off."""
    data = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3, 6]))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        what = draw(st.integers(0, 9))
        new = draw(st.binary(min_size=1, max_size=8))
        if what < 5:
            data[at : at + len(new)] = new
        elif what < 7:
            data[at:at] = new
        elif what < 9:
            del data[at : at + draw(st.integers(1, 64))]
        else:
            del data[at:]
    return bytes(data)


@st.composite
def changed(draw: st.DrawFn, tree: Any) -> Any:
    """Return a tree of JSON in which a few places hold something else, or are gone."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        at, steps = tree, draw(st.integers(1, 7))
        for step in range(steps):
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if step + 1 < steps and isinstance(at[key], dict | list):
                at = at[key]
                continue
            if draw(st.integers(0, 3)) == 0:
                del at[key]
            else:
                at[key] = draw(ODD | FITTING | DEEP | JSON)
            break
    return tree


@st.composite
def table(draw: st.DrawFn, columns: dict[str, list[str]]) -> bytes:
    """Return a table of columns with cells that are good, mostly, as some spreadsheet saves it."""
    file = io.StringIO(newline="")
    writer = csv.writer(
        file,
        delimiter=draw(st.sampled_from(",,;\t|")),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    writer.writerow(columns)
    for _ in range(draw(st.integers(0, 4))):
        row = [draw(st.sampled_from(cells)) for cells in columns.values()]
        if draw(st.integers(0, 3)) == 0:
            row[draw(st.integers(0, len(row) - 1))] = draw(ANY_TEXT)
        writer.writerow(row[: draw(st.sampled_from([9, 9, 9, 1]))])
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252", "cp932"]))
    errors = "surrogatepass" if encoding.startswith("utf") else "replace"
    return file.getvalue().encode(encoding, errors)


# --- readers -------------------------------------------------------------------------------------


class Readers:
    """What is fuzzed: each method takes an input, and raises if a promise is broken."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.table = folder, folder / "table.csv"
        self.inputs = 0
        for name in ("a.jpg", "b.jpg"):
            (folder / name).touch()

    def dataset(self, data: bytes) -> None:
        """Read a data set's CSV file, and split what has no split."""
        self.table.write_bytes(data)
        with contextlib.suppress(DataError):
            found = read_dataset(self.table)
            if not found.has_split:
                found.with_hashed_split(["ab" * 32] * len(found), 0.5, 0)

    def labels(self, data: bytes) -> None:
        """Read corrected labels of a data set of two images."""
        self.table.write_bytes(data)
        items = tuple(
            Item(self.folder / name, label, None)
            for name, label in (("a.jpg", "ant"), ("b.jpg", "\u72ac"))
        )
        with contextlib.suppress(DataError):
            apply_corrections(Dataset("two", self.folder, items), self.table)

    def archive(self, data: bytes) -> None:
        """Judge an archive."""
        self.table.write_bytes(data)
        with contextlib.suppress(ArchiveError):
            check_archive(self.table)

    def predictions(self, data: bytes) -> None:
        """Read the table of predictions; what was read can be written and read back."""
        self.table.write_bytes(data)
        with contextlib.suppress(RecordError):
            found = tables.read_predictions(self.table)
            tables.write_predictions(found, self.table)
            assert tables.read_predictions(self.table) == found

    def record(self, tree: Any) -> None:
        """Read a run record, and render it."""
        self.record_text(json.dumps(tree))

    def record_text(self, text: str) -> None:
        """Read a run record's text, and render it."""
        with contextlib.suppress(RecordError):
            run = parse_record(text)
            page.render(run, [], None)
            tables.format_results(run)
            tables.write_metrics(run, self.table)
            format_comparison([(self.folder, run), (self.folder, run)])
            if run.results:
                best_in_validation(run)

    def recipe(self, tree: Any) -> None:
        """Build a recipe of its fields; what was built has a fingerprint."""
        with contextlib.suppress(RecipeError):
            found = Recipe.from_dict(tree)
            assert Recipe.from_dict(found.to_dict()).fingerprint == found.fingerprint

    def image(self, data: bytes) -> None:
        """Check an image's header, and decode it."""
        with contextlib.suppress(ImageError):
            assert decoding.decode(data, 32).shape == (32, 32, 3)


def targets(readers: Readers) -> dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], None]]]:
    """Return the readers with what they are given."""
    run, predictions = sample(["ant", "bee"], n_per_class=3, classifiers=("logreg", "dense"))
    record = dataclasses.asdict(run)
    tables.write_predictions(predictions, readers.table)
    rows = readers.table.read_bytes()
    recipe = Recipe(weights="ab" * 32, preprocessing="torch").to_dict()
    listed = b'path,label,split\na.jpg,ant,train\n"b.jpg",bee,test\n'
    files = {"path": ["a.jpg", "b.jpg", " b.jpg "], "label": ["ant", "bee", "=ant"]}
    splits = {"split": ["train", "test", "VAL"]}
    odd_files = {
        "id": ["a", "b", "A"],
        "breed": ["ant", "b\xeae", "\u72ac"],
        "age": ["1", "", "2.5"],
    }
    one_hot = {"image": ["a.jpg", "b.jpg"], "ant": ["0", "1"], "bee": ["1", "0"]}
    frame = pd.DataFrame({"path": ["a.jpg", "b.jpg"], "label": ["ant", "bee"], "n": [1.0, None]})
    frame.to_excel(readers.folder / "t.xlsx", index=False)
    frame.to_parquet(readers.folder / "t.parquet")
    binary = [(readers.folder / name).read_bytes() for name in ("t.xlsx", "t.parquet")]
    corrected = {"path": ["a.jpg", "b.jpg"], "label": ["ant", "bee", "", "\u72ac"]}
    packed = [archives.made(archives.GOOD), *tar_samples.good_kinds(archives.GOOD)]
    names = ["ant", "bee", "'=a", "\\n\\xff", "\\"]
    guesses = dict.fromkeys(tables.PREDICTION_COLUMNS, names) | {
        "probability": ["0.5", "1", "1e-9"]
    }
    pictures = [saved(kind) for kind in KINDS] + ([medical()] if HAS_DICOM else [])
    pictures += [saved("JPEG", progressive=True), saved("PNG", "RGBA"), saved("JPEG", "CMYK")]
    pictures += [moving("GIF"), moving("WEBP"), saved("TIFF", compression="tiff_lzw")]
    texts = mutated([json.dumps(record).encode()]).map(lambda data: data.decode("latin1"))
    return {
        "data set": (
            mutated([listed])
            | table(files)
            | table(files | splits)
            | table(odd_files)
            | table(one_hot)
            | mutated(binary),
            readers.dataset,
        ),
        "labels": (table(corrected), readers.labels),
        "archive": (mutated(packed), readers.archive),
        "predictions": (
            mutated([rows]) | table(guesses),
            readers.predictions,
        ),
        "run record": (changed(record) | JSON, readers.record),
        "run record's text": (texts, readers.record_text),
        "recipe": (changed(recipe) | st.dictionaries(ANY_TEXT, JSON), readers.recipe),
        "image": (mutated(pictures) | st.binary(max_size=200), readers.image),
    }


def main() -> int:
    """Fuzz every reader in turn, and print how many inputs there were and how many crashes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="10 minutes, not 2 seconds")
    seconds = SECONDS_FULL if parser.parse_args().full else SECONDS
    warnings.simplefilter("ignore")
    print(f"seed {SEED}", file=sys.stderr)
    crashes = 0
    with tempfile.TemporaryDirectory() as folder:
        readers = Readers(Path(folder))
        todo = targets(readers)
        for name, (inputs, reader) in todo.items():
            before = readers.inputs
            with silent():
                crashes += fuzz(readers, inputs, reader, seconds / len(todo))
            print(f"{name}: {readers.inputs - before} inputs", file=sys.stderr)
        print(f"{readers.inputs} inputs, {crashes} crashes")
    return bool(crashes)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keep OpenCV's libraries, which know nothing of Python's streams, from writing complaints."""
    before, kept = sys.stderr, [os.dup(descriptor) for descriptor in (1, 2)]
    sys.stderr = os.fdopen(os.dup(kept[1]), "w", buffering=1)
    with Path(os.devnull).open("w") as nowhere:
        for descriptor in (1, 2):
            os.dup2(nowhere.fileno(), descriptor)
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = before
        for descriptor, copy_of in zip((1, 2), kept, strict=True):
            os.dup2(copy_of, descriptor)
            os.close(copy_of)


def fuzz(
    readers: Readers, inputs: st.SearchStrategy[Any], reader: Callable[[Any], None], seconds: float
) -> int:
    """Give a reader inputs until the time is over; return 1 if it crashed."""

    def meet(given: Any) -> None:
        readers.inputs += 1
        reader(given)

    until, number = time.monotonic() + seconds, SEED
    while time.monotonic() < until:
        number += 1
        round_of = settings(
            max_examples=EXAMPLES_A_ROUND,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        try:
            seed(number)(round_of(given(inputs)(meet)))()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a crash
            _tell(error, number)
            return 1
    return 0


def _tell(error: BaseException, number: int) -> None:
    import traceback

    typed = "" if not isinstance(error, ToolkitError) else " (of the toolkit, but not this one's)"
    print(f"seed {number}: {type(error).__name__}{typed}", file=sys.stderr)
    traceback.print_exception(error, limit=-6)


if __name__ == "__main__":
    raise SystemExit(main())

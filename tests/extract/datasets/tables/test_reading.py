"""Tables as people have them: each is read as a person would, or refused in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from extract.datasets.tables import read_table
from extract.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from extract.datasets.tables import Table

NAMES = [f"{label}.{number}.jpg" for label in ("cat", "dog") for number in range(10)]
EXPECTED = {f"imgs/{name}": name.partition(".")[0] for name in NAMES}
ROWS = [[path, label] for path, label in EXPECTED.items()]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Table]:
    """Write rows beside a folder of twenty images, and read them."""
    (tmp_path / "imgs").mkdir()
    for name in NAMES:
        (tmp_path / "imgs" / name).touch()

    def read(
        rows: list[list[str]],
        header: str = "path,label",
        encoding: str = "utf-8",
        separator: str = ",",
        line_end: str = "\n",
    ) -> Table:
        lines = [separator.join(row) for row in [header.split(","), *rows]]
        text = line_end.join(lines) + line_end
        (tmp_path / "t.csv").write_bytes(text.encode(encoding))
        return read_table(tmp_path / "t.csv")

    return read


def labels(table: Table) -> dict[str, str]:
    return {f"{path.parent.name}/{path.name}": label for path, label, _ in table.labelled}


def splits(table: Table) -> list[str | None]:
    return [split for _, _, split in table.labelled]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_separators_and_encodings(
    read: Callable[..., Table], separator: str, encoding: str
) -> None:
    header = "\ufeffpath,label" if encoding == "utf-16-le" else "path,label"
    table = read(ROWS, header, encoding, separator, "\r\n")
    assert labels(table) == EXPECTED
    assert not table.remarks


def test_text_of_western_spreadsheets_is_read_and_mentioned(read: Callable[..., Table]) -> None:
    rows = [[path, "chat m\xe2le" if label == "cat" else "chien"] for path, label in ROWS]
    table = read(rows, encoding="cp1252", separator=";")
    assert set(labels(table).values()) == {"chat m\xe2le", "chien"}
    assert "CP1252 (Western European), as in 'imgs/cat.0.jpg;chat m\xe2le'" in table.remarks[0]


def test_text_of_japanese_spreadsheets_is_read(read: Callable[..., Table]) -> None:
    rows = [[path, "\u732b" if label == "cat" else "\u72ac"] for path, label in ROWS]
    assert set(labels(read(rows, encoding="cp932")).values()) == {"\u732b", "\u72ac"}


def test_text_in_an_encoding_that_nothing_tells_is_refused(read: Callable[..., Table]) -> None:
    rows = [[path, "\u732b" if label == "cat" else "\u72d7"] for path, label in ROWS]
    with pytest.raises(DataError, match="neither UTF-8 nor in an encoding"):
        read(rows, encoding="gb18030")


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("path,label", [["imgs\\" + path[5:], label] for path, label in ROWS]),
        ('"path", "label"', [[f'"{path}"', f' "{label}"'] for path, label in ROWS]),
        ("Path,LABEL ", ROWS),
        ("path,label", [*ROWS, ["", ""], ["", ""]]),
        ("path,label", [["", ""], *ROWS]),
        ("path,label,,", [[*row, "", ""] for row in ROWS]),
        ("sep=,\npath,label", ROWS),
        ("path,label", [["./" + path, label] for path, label in ROWS]),
    ],
)
def test_ways_to_write_the_same_table(
    read: Callable[..., Table], header: str, rows: list[list[str]]
) -> None:
    table = read(rows, header)
    assert labels(table) == EXPECTED
    assert not table.passed_over


def test_a_line_that_names_the_separator_is_followed(read: Callable[..., Table]) -> None:
    table = read(
        [[path, f'"a;{label}"'] for path, label in ROWS], "sep=;\npath,label", separator=";"
    )
    assert set(labels(table).values()) == {"a;cat", "a;dog"}


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("filename,class", "images from 'filename', labels from 'class'"),
        ("image,category", "images from 'image', labels from 'category'"),
        ("file_name,target", "images from 'file_name', labels from 'target'"),
        ("File Name,Class-Name", "images from 'File Name', labels from 'Class-Name'"),
        ("image_id,fruit", "images from 'image_id', labels from 'fruit'"),
        ("foto,art", "images from 'foto', labels from 'art'"),
    ],
)
def test_other_names_of_columns_are_mentioned(
    read: Callable[..., Table], header: str, taken: str
) -> None:
    table = read(ROWS, header)
    assert labels(table) == EXPECTED
    assert table.remarks == (f"Columns: {taken}.",)


def test_columns_that_are_not_used_are_named(read: Callable[..., Table]) -> None:
    rows = [[str(i), *row, str(20 + i / 7), str(i % 2)] for i, row in enumerate(ROWS)]
    table = read(rows, ",path,label,age,sex")
    assert labels(table) == EXPECTED
    examined, unused = table.remarks
    assert examined == (
        "Columns that no classifier sees: age, sex; an audit looks for shortcuts and weak spots in "
        "them."
    )
    assert unused.startswith("Columns that are not used: (no name), which are the same, or another")


def test_the_column_whose_cells_are_images_counts(read: Callable[..., Table]) -> None:
    """Numbers called id are no images where another column has them."""
    rows = [[str(i), *row] for i, row in enumerate(ROWS)]
    assert labels(read(rows, "id,file,species")) == EXPECTED


def test_several_columns_that_may_be_labels_are_refused(read: Callable[..., Table]) -> None:
    rows = [[*row, "left" if i % 2 else "right"] for i, row in enumerate(ROWS)]
    with pytest.raises(DataError, match="any of colour, side may be the labels"):
        read(rows, "path,colour,side")


@pytest.mark.parametrize("prefix", ["imgs/", ""])
def test_names_without_a_suffix_are_completed(read: Callable[..., Table], prefix: str) -> None:
    """Beside the table, or among the images of its folder."""
    table = read([[prefix + path[5:-4], label] for path, label in ROWS], "id,breed")
    assert labels(table) == EXPECTED
    first = f"{prefix}cat.0"
    remark = f"20 names were looked up among the images, as '{first}' is 'imgs/cat.0.jpg'."
    assert remark in table.remarks


@pytest.mark.parametrize("beginning", ["/kaggle/input/pets/", "C:\\Users\\me\\pets\\"])
def test_absolute_paths_of_another_machine_are_looked_up(
    read: Callable[..., Table], beginning: str
) -> None:
    table = read([[beginning + path, label] for path, label in ROWS])
    assert labels(table) == EXPECTED
    assert (
        f"20 names were looked up among the images, as {beginning + ROWS[0][0]!r}"
        in (table.remarks[0])
    )
    with pytest.raises(DataError, match="there is no file"):
        read([[beginning + ROWS[0][0], "cat"], ["/elsewhere/" + ROWS[1][0], "cat"]])


def test_a_name_of_two_images_is_refused(read: Callable[..., Table], tmp_path: Path) -> None:
    (tmp_path / "imgs/cat.0.png").touch()
    with pytest.raises(DataError, match=r"'cat.0' may be imgs/cat.0.jpg or imgs/cat.0.png"):
        read([[path[5:-4], label] for path, label in ROWS])


def test_one_column_for_each_class(read: Callable[..., Table]) -> None:
    rows = [[path, str(int(label == "cat")), f"{label == 'dog':.1f}"] for path, label in ROWS]
    table = read(rows, "image,cat,dog")
    assert labels(table) == EXPECTED
    assert "labels from the 2 columns with one 1 in each row" in table.remarks[0]


def test_images_of_several_classes_are_refused(read: Callable[..., Table]) -> None:
    rows = [[path, "1", str(int(label == "dog"))] for path, label in ROWS]
    with pytest.raises(DataError, match="line 12: expected exactly one 1 in the columns cat, dog"):
        read(rows, "image,cat,dog")


def test_whole_numbers_are_labels(read: Callable[..., Table]) -> None:
    table = read([[path, str(int(label == "dog"))] for path, label in ROWS])
    assert set(labels(table).values()) == {"0", "1"}


@pytest.mark.parametrize(
    ("column", "test_word", "train_word"),
    [
        ("split", "test", "train"),
        ("set", "Test", "Train"),
        ("subset", "TESTING", "training"),
        ("fold", "test", "train"),
        ("is_test", "1", "0"),
        ("is_test", "True", "False"),
        ("is_train", "no", "yes"),
    ],
)
def test_columns_of_the_split(
    read: Callable[..., Table], column: str, test_word: str, train_word: str
) -> None:
    rows = [[*row, train_word if i % 5 else test_word] for i, row in enumerate(ROWS)]
    table = read(rows, f"path,label,{column}")
    assert splits(table) == ["test", *["train"] * 4] * 4


@pytest.mark.parametrize(("column", "words"), [("split", ("dev", "train")), ("is_valid", "10")])
def test_a_validation_split_is_named_as_such(
    read: Callable[..., Table], column: str, words: tuple[str, str]
) -> None:
    """What becomes of it is decided where that of folders is."""
    table = read([[*row, words[i % 5 > 0]] for i, row in enumerate(ROWS)], f"path,label,{column}")
    assert splits(table) == ["validation", *["train"] * 4] * 4


def test_the_name_of_the_table_decides_between_folders_of_splits(
    read: Callable[..., Table], tmp_path: Path
) -> None:
    """As train.csv beside train/ and test/, in both of which the numbers begin with 1."""
    for name in ("train/1.jpg", "test/1.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "train.csv").write_text("id,label\n1,cat\n")
    assert labels(read_table(tmp_path / "train.csv")) == {"train/1.jpg": "cat"}
    (tmp_path / "labels.csv").write_text("id,label\n1,cat\n")
    with pytest.raises(DataError, match=r"'1' may be test/1.jpg or train/1.jpg"):
        read_table(tmp_path / "labels.csv")


def test_numbers_of_folds_are_no_split(read: Callable[..., Table]) -> None:
    table = read([[*row, str(i % 5)] for i, row in enumerate(ROWS)], "path,label,fold")
    assert set(splits(table)) == {None}
    assert any(r.startswith("Columns that no classifier sees: fold;") for r in table.remarks)


@pytest.mark.parametrize("missing", ["", "nan", "NaN", "NA", "null"])
def test_rows_without_a_label_are_left_out_and_counted(
    read: Callable[..., Table], missing: str
) -> None:
    table = read(
        [[path, missing if i in (3, 7) else label] for i, (path, label) in enumerate(ROWS)]
    )
    assert len(table.labelled) == 18
    assert table.passed_over == {"rows without a label": 2}


def test_repeated_rows_are_read_once_and_counted(read: Callable[..., Table]) -> None:
    table = read(ROWS + ROWS)
    assert labels(table) == EXPECTED
    assert table.passed_over == {"repeated rows": 20}


def test_a_table_without_a_header_is_read(read: Callable[..., Table]) -> None:
    table = read(ROWS[1:], ",".join(ROWS[0]))
    assert labels(table) == EXPECTED
    assert "The first row is an image, not a header" in table.remarks[0]


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        (
            "path,label",
            [*ROWS, ["imgs/gone.jpg", "cat"]],
            r"line 22: there is no file .*gone\.jpg;",
        ),
        (
            "path,label",
            [["a.jpg", "x"], *ROWS, *[[f"{i}.jpg", "x"] for i in range(4)]],
            r"line 2: there is no file .*a\.jpg, nor 0\.jpg, 1\.jpg \(5 of 25 are missing\)",
        ),
        ("path,label", [*ROWS, ["imgs/cat.0.jpg", "dog"]], "appears twice, once as cat"),
        ("path,label", [[path, ""] for path, _ in ROWS], "line 2: expected a path and a label"),
        ("path,label", [], "expected one row per image"),
        ("path,label", [["imgs/cat.0.jpg", "cat", "x"]], "line 2: expected 2 cells"),
        (
            "path,label",
            [*ROWS, ['"imgs/cat.0.jpg', "cat"]],
            "after line 21: a quotation mark is not",
        ),
        ("path,path,label", [["a", "b", "c"]], "several columns called path"),
        ("width,height", [["1", "2"]], "none of them has names of images"),
        ("path,label,split", [["imgs/cat.0.jpg", "cat", "spare"]], "the split is 'spare'"),
    ],
)
def test_what_cannot_be_read_is_named(
    read: Callable[..., Table], header: str, rows: list[list[str]], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        read(rows, header)

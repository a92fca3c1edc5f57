"""Words for splits, and what becomes of a validation split."""

from __future__ import annotations

from pathlib import Path

import pytest

from extract.datasets.split_names import SplitWord, settle_splits, split_of


@pytest.mark.parametrize(
    ("names", "word"),
    [
        ("train Training TRAIN train_set training_set seg_train images_train train2017 trainset "
         "training_data train-images 1_train Trainingsdaten Lernbilder apprentissage", "train"),
        ("test Testing test1 test_set seg_test testset test_images holdout Testdaten", "test"),
        ("val valid validation dev val2017 valid_set Validation Validierung", "validation"),
        ("eval Evaluation eval_set", "evaluation"),
        ("cats trains steam-train contest protest seg_pred images devices interval 0 1 n01440764 "
         "train_test", None),
    ],
)  # fmt: skip
def test_words_for_splits(names: str, word: SplitWord | None) -> None:
    assert {name: split_of(name) for name in names.split()} == dict.fromkeys(names.split(), word)


def labelled(**numbers: int) -> list[tuple[Path, str, SplitWord | None]]:
    return [(Path(f"{w}{i}"), "a", split_of(w)) for w, n in numbers.items() for i in range(n)]


@pytest.mark.parametrize(
    ("numbers", "n_train", "n_test", "words"),
    [
        ({"development": 5, "evaluation": 2}, 5, 2, "(2 images) is the test split."),
        ({"train": 5, "dev": 3, "eval": 2}, 8, 2, "(2 images) is the test split."),
        ({"train": 5, "eval": 2}, 5, 2, "validation split (2 images) is used as the test split"),
        ({"train": 5, "eval": 2, "test": 1}, 7, 1, "(2 images) joins the training split"),
    ],
)
def test_an_evaluation_split_is_the_test_split_of_what_was_developed(
    numbers: dict[str, int], n_train: int, n_test: int, words: str
) -> None:
    """It is never pooled with the split that it was to judge."""
    items, _, remarks = settle_splits(labelled(**numbers))
    assert [item.split for item in items].count("train") == n_train
    assert [item.split for item in items].count("test") == n_test
    assert words in remarks[0]


@pytest.mark.parametrize(
    ("numbers", "validation", "n_train", "n_test"),
    [
        ({"train": 5, "validation": 2, "test": 1}, "auto", 7, 1),
        ({"train": 5, "validation": 2, "test": 1}, "test", 5, 3),
        ({"train": 5, "validation": 2, "test": 1}, "ignore", 5, 1),
        ({"train": 5, "validation": 2}, "auto", 5, 2),
        ({"validation": 2, "test": 1}, "auto", 2, 1),
    ],
)
def test_a_validation_split_goes_where_it_should(
    numbers: dict[str, int], validation: str, n_train: int, n_test: int
) -> None:
    """It never vanishes without a remark."""
    items, passed_over, remarks = settle_splits(labelled(**numbers), validation)
    assert [item.split for item in items].count("train") == n_train
    assert [item.split for item in items].count("test") == n_test
    assert len(items) + sum(passed_over.values()) == sum(numbers.values())
    assert len(remarks) == 1


@pytest.mark.parametrize(
    ("numbers", "validation"),
    [
        ({"train": 5}, "auto"),
        ({"test": 5}, "auto"),
        ({"validation": 5}, "auto"),
        ({"train": 5, "validation": 2}, "train"),
        ({"train": 5, "validation": 2}, "ignore"),
    ],
)
def test_a_single_split_is_none(numbers: dict[str, int], validation: str) -> None:
    """A test split is drawn from it."""
    items, _, _ = settle_splits(labelled(**numbers), validation)
    assert {item.split for item in items} == {None}

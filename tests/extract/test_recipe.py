"""The recipe defines what an embedding is, and its fingerprint identifies it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.errors import RecipeError
from extract.recipe import Recipe

RECIPE = Recipe(weights="ab" * 32, preprocessing="torch", interpolation="lanczos4")


def test_the_fingerprint_stays_the_same_for_ever() -> None:
    """A changed fingerprint would invalidate every existing cache."""
    assert RECIPE.canonical == (
        '{"backbone":"vgg16","dtype":"float32","flip":false,"interpolation":"lanczos4",'
        '"layer":null,"pooling":"none","precision":"float32","preprocessing":"torch","schema":1,'
        '"size":150,"weights":"' + "ab" * 32 + '"}'
    )
    assert RECIPE.fingerprint == (
        "8d33dd4bcc1850126b93ace8d42329082a3d2837dc8e3e68de025a26bdbc1322"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("weights", "cd" * 32), ("preprocessing", "caffe"), ("backbone", "vgg19"), ("size", 224),
     ("layer", "block4_pool"), ("pooling", "avg"), ("flip", True), ("schema", 2),
     ("interpolation", "bicubic"), ("aspect", "crop")],
)  # fmt: skip
def test_each_field_changes_the_fingerprint(field: str, value: object) -> None:
    """Recipes that could give different numbers have different fingerprints."""
    other = dataclasses.replace(RECIPE, **{field: value})
    assert other.fingerprint != RECIPE.fingerprint


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("backbone", "vgg17", "choose one of: vgg16"),
        ("pooling", "mean", "none, avg, max"),
        ("preprocessing", "bgr", "caffe, tf, torch"),
        ("size", 16, "32 to 4096 pixels"),
        ("size", 100000, "32 to 4096 pixels"),
        ("precision", "int4", "float32"),
        ("interpolation", "nearest", "bicubic, lanczos4"),
        ("aspect", "cover", "stretch, crop, pad"),
        ("bits", 12, "none of them with lanczos4"),
    ],
)
def test_a_field_that_cannot_be_met_lists_the_choices(
    field: str, value: object, message: str
) -> None:
    """The error lists the valid values."""
    with pytest.raises(RecipeError, match=message):
        dataclasses.replace(RECIPE, **{field: value})


def test_a_recipe_survives_its_record() -> None:
    """The record of a run gives the same recipe back."""
    fields = RECIPE.to_dict() | {"weights_source": "torchvision"}
    assert Recipe.from_dict(fields) == RECIPE


JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([])


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(Recipe)]), JSON))
def test_any_other_record_is_a_typed_error(changes: dict[str, object]) -> None:
    """An edited record gives a recipe or a RecipeError, nothing else."""
    try:
        recipe = Recipe.from_dict(RECIPE.to_dict() | changes)
    except RecipeError:
        return
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    "values",
    [{"bits": 12}, {"black": -1024.0, "white": 3071.0}, {"bits": 10, "black": 0.0, "white": 1.0}],
)
def test_what_is_black_and_white_is_part_of_the_recipe(values: dict[str, Any]) -> None:
    """Only where it was decided: images of 8 bits keep one recipe."""
    plain = dataclasses.replace(RECIPE, interpolation="bicubic")
    assert "bits" not in plain.canonical
    other = dataclasses.replace(plain, **values)
    assert other.fingerprint != plain.fingerprint
    assert Recipe.from_dict(other.to_dict()) == other


@pytest.mark.parametrize("values", [{"bits": 11}, {"black": 0.0}, {"black": 0.0, "white": np.inf}])
def test_an_impossible_range_of_values_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="10, 12, 14 or 16 bits, finite values"):
        dataclasses.replace(RECIPE, interpolation="bicubic", **values)

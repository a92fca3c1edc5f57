"""The recipe defines what an embedding is, and its fingerprint identifies it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extract.errors import RecipeError
from extract.recipe import Recipe

RECIPE = Recipe(weights="ab" * 32, preprocessing="torch")


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
     ("layer", "block4_pool"), ("pooling", "avg"), ("flip", True), ("schema", 2)],
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

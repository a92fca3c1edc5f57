from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reports.pages.comparison import (
    differences,
    format_comparison,
    group_by_classifier,
    labels,
    remarks,
)
from reports.pages.page import render_comparison
from tests.reports.samples import sample, with_recipe

FIRST = sample(["cats", "dogs"], n_per_class=20)[0]
SECOND = with_recipe(
    sample(["cats", "dogs"], n_per_class=20, classifiers=("svm", "cnn"), seed=1)[0],
    {**FIRST.recipe, "preprocessing": "notebook", "layer": "<b>block4</b>"},
)
RUNS = [(Path("runs/a"), FIRST), (Path("runs/b"), SECOND)]


def test_only_fields_that_differ_are_listed():
    """Recipe and seed differ here, the versions do not."""
    found = differences([FIRST, SECOND])
    assert {part: [d.field for d in fields] for part, fields in found.items()} == {
        "Recipe": ["preprocessing", "layer"],
        "Images and seed": ["seed"],
    }
    assert found["Recipe"][0].values == ["torchvision", "notebook"]


def test_a_field_that_one_run_lacks_is_a_difference():
    """A record of another version may have other fields."""
    recipe = {name: value for name, value in FIRST.recipe.items() if name != "flip"}
    (found,) = differences([FIRST, with_recipe(FIRST, recipe)])["Recipe"]
    assert found.values == ["no", "missing"]


def test_parameters_of_a_classifier_in_all_runs_are_compared():
    """Also those chosen by a search; a classifier that a run lacks is no difference."""
    results = [
        replace(r, params={**r.params, "kernel": "linear"}) if r.classifier == "svm" else r
        for r in FIRST.results
    ]
    found = differences([replace(FIRST, results=results), FIRST])["Settings"]
    assert [difference.field for difference in found] == ["svm: kernel"]
    others = [replace(r, classifier="other") for r in results]
    assert differences([replace(FIRST, results=others), FIRST]) == {}


def test_runs_that_are_the_same_have_no_difference():
    """A run compared with itself is fine."""
    assert differences([FIRST, FIRST]) == {}


def test_each_classifier_is_shown_in_the_runs_that_have_it():
    """The classifiers need not be the same in all the runs."""
    found = {
        group.classifier: [label for label, _ in group.results]
        for group in group_by_classifier(RUNS)
    }
    assert found["svm"] == ["a", "b"]
    assert found["dense"] == ["a"]


def test_folders_of_the_same_name_keep_their_path():
    """Labels are never ambiguous."""
    assert labels([Path("x/run"), Path("y/run"), Path("z")]) == ["x/run", "y/run", "z"]


def test_other_images_and_classes_are_noted():
    """The runs are compared, and the page says what explains part of a difference."""
    data = replace(FIRST.data, fingerprint="another")
    assert remarks([FIRST, SECOND]) == []
    assert "different images" in remarks([FIRST, replace(FIRST, data=data)])[0]
    shapes = sample(list("abc"), n_per_class=5)[0]
    assert "different classes" in remarks([FIRST, shapes])[0]


def test_the_page_shows_the_runs_side_by_side():
    """Also runs with different classes, and names stay text."""
    shapes = sample(list("abc"), n_per_class=5)[0]
    page = render_comparison([*RUNS, (Path("runs/<i>c</i>"), shapes)])
    assert "3 runs side by side" in page
    assert "&lt;b&gt;block4&lt;/b&gt;" in page
    assert "<i>" not in page
    assert 'href="runs' not in page


def test_the_page_links_the_reports(tmp_path):
    """Links are relative to the folder of the page."""
    folder = tmp_path / "runs" / "a b"
    folder.mkdir(parents=True)
    (folder / "report.html").touch()
    page = render_comparison([(folder, FIRST)], base=tmp_path)
    assert 'href="runs/a%20b/report.html"' in page


def test_the_terminal_table_is_narrow():
    """At most 100 columns wide, with the whole name of every run."""
    text = format_comparison([(Path("x" * 200), FIRST), (Path("b"), SECOND)])
    assert max(map(len, text.splitlines())) == 100
    assert text.count("x") == 200 * len(FIRST.results)


def with_settings(run, **settings):
    """Return a run that has recorded its settings."""
    return replace(run, settings=settings, asked={r.classifier: r.params for r in run.results})


def test_every_setting_that_differs_is_listed():
    """Whatever a run has recorded, in the words of the command line."""
    first = with_settings(FIRST, calibrate=False, aspect="pad", repeats=1, brand_new=1)
    second = with_settings(FIRST, calibrate=True, aspect="crop", repeats=1, brand_new=2)
    found = differences([first, second])
    assert {part: [d.field for d in fields] for part, fields in found.items()} == {
        "Settings": ["calibrate", "fit", "brand-new"]
    }
    assert found["Settings"][0].values == ["no", "yes"]
    assert "Nothing" not in render_comparison([(Path("a"), first), (Path("b"), second)])


def test_what_was_asked_and_what_was_chosen_are_two_things():
    """A kernel that was asked for, and the same one chosen by cross-validation."""
    first, second = with_settings(FIRST, seed=0), with_settings(FIRST, seed=0)
    second.asked["svm"] = {**second.asked["svm"], "kernel": "auto"}
    found = differences([first, second])
    assert [(d.field, d.values) for d in found["Settings"]] == [("svm: kernel", ["rbf", "auto"])]
    assert "Chosen on the training split" not in found


def test_runs_without_settings_are_not_said_to_be_the_same():
    """A record of an earlier version does not have them."""
    page = render_comparison([(Path("a"), FIRST), (Path("b"), with_settings(FIRST, seed=0))])
    assert "did not record every setting" in page


def test_other_labels_are_not_called_other_images():
    """The record has fingerprints of the images alone, and of images with labels."""
    data = replace(FIRST.data, image_fingerprint="i", label_fingerprint="l")
    first = replace(FIRST, data=data)
    labels_ = replace(data, label_fingerprint="m", fingerprint="x")
    assert remarks([first, replace(FIRST, data=labels_)]) == [
        "The runs have different labels of the same images, which explains part of any difference."
    ]
    split = replace(data, fingerprint="x")
    assert "different split of the same images" in remarks([first, replace(FIRST, data=split)])[0]
    groups = replace(split, groups=9, group_origin="column animal")
    assert "different groups of the same images" in remarks([first, replace(FIRST, data=groups)])[0]
    images = replace(labels_, image_fingerprint="j")
    assert "different images," in remarks([first, replace(FIRST, data=images)])[0]

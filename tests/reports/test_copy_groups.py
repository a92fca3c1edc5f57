"""Clusters of copies as groups."""

import csv
import dataclasses

from reports.copy_groups import copy_groups, groups_to_keep_together
from reports.records import Audit, Copy
from reports.tables import GROUPS_NAME, remarks, write_audit
from reports.wording.findings import groups_sentences
from tests.reports.samples import sample


def copy_of(path: str, of: str) -> Copy:
    return Copy(path, "train", "cat", of, "cat")


def test_copies_of_copies_are_in_one_group_in_whatever_order_they_are_listed():
    """The group is named after the first path, and other images have no group."""
    chain = [copy_of("c", "b"), copy_of("d", "c"), copy_of("b", "a"), copy_of("y", "x")]
    expected = dict.fromkeys("abcd", "copies of a") | dict.fromkeys("xy", "copies of x")
    assert copy_groups(chain) == copy_groups(chain[::-1]) == expected


def test_other_copies_do_not_rename_a_group():
    """The test split is drawn by the names of the groups."""
    assert copy_groups([copy_of("n", "m"), copy_of("b", "a")])["n"] == "copies of m"
    assert copy_groups([copy_of("n", "m")])["n"] == "copies of m"


def test_a_long_chain_of_copies_is_one_group():
    """However the union is made, no recursion and no quadratic time."""
    chain = [copy_of(f"{i:05}", f"{i + 1:05}") for i in range(20_000)]
    assert set(copy_groups(chain).values()) == {"copies of 00000"}


def test_groups_are_written_and_named_where_there_are_copies(tmp_path):
    """A table of path and group; without copies there is no such file."""
    run, _ = sample(["cat", "dog"])
    audit = Audit([], [], [], {}, 1.0)
    write_audit(audit, tmp_path)
    assert not (tmp_path / GROUPS_NAME).exists()
    assert not any(GROUPS_NAME in line for line in remarks(dataclasses.replace(run, audit=audit)))
    audit = dataclasses.replace(audit, copies=[copy_of("=b", "a"), copy_of("y", "x")])
    write_audit(audit, tmp_path)
    with (tmp_path / GROUPS_NAME).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows] == [["path", "group"]] * 4
    assert len({row["group"] for row in rows}) == 2
    (line,) = (
        line for line in remarks(dataclasses.replace(run, audit=audit)) if GROUPS_NAME in line
    )
    assert "2 groups (4 images): copies" in line


def test_copies_join_the_groups_that_are_known():
    """Two groups with one photograph in both are one; the name is that of a known group."""
    known = {"a": "tom", "b": "tom", "c": "kit", "z": "zoe"}
    merged = copy_groups([copy_of("n", "c"), copy_of("a", "c")], known)
    assert merged == dict.fromkeys("abcn", "kit") | {"z": "zoe"}


def test_groups_that_the_data_have_are_written_only_if_copies_add_to_them():
    """A table that says the same as the data would be of no use."""
    known = {"a": "tom", "b": "tom"}
    audit = Audit([], [], [], {}, 1.0, known_groups=known, groups_origin="column cat")
    assert groups_to_keep_together(audit) == {}
    inside = dataclasses.replace(audit, copies=[copy_of("b", "a")])
    assert groups_to_keep_together(inside) == {}
    across = dataclasses.replace(audit, copies=[copy_of("n", "a")])
    assert groups_to_keep_together(across) == dict.fromkeys("abn", "tom")
    guessed = dataclasses.replace(audit, groups_are_guessed=True)
    assert groups_to_keep_together(guessed) == known
    assert "what seem to be groups: column cat" in groups_sentences(guessed)[0]

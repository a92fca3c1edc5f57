"""Where an image goes: which folder, and what is put before its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from classify.serving.sorting.names import REFUSED, UNDECIDED, UNUSABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from classify.serving.prediction import Prediction

By = Literal["class", "top", "uncertain"]
BY: tuple[By, ...] = get_args(By)
N_COMPARED = 2
"""Classes that a prediction must list for its margin."""
_N_BANDS = 10


def destination(prediction: Prediction, by: By, folders: Mapping[str, str]) -> tuple[str, str]:
    """Return the folder of an image, and what its name begins with.

    Parameters
    ----------
    prediction : Prediction
        With its two most probable classes in `top`.
    by : {"class", "top", "uncertain"}
        ``"class"``: a folder for each class. ``"top"``: the same, and names begin with the
        probability of the class, so that they are sorted by it. ``"uncertain"``: folders and names
        begin with the margin, which is the probability of the most probable class less that of the
        second one, so that the most uncertain images come first.
    folders : mapping of str to str
        From `classify.serving.sorting.names.folder_names`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from classify.serving.prediction import Prediction
    >>> image = Prediction(Path("a.jpg"), "cat", 0.7, top=(("cat", 0.7), ("dog", 0.25)))
    >>> for by in BY:
    ...     destination(image, by, {"cat": "cat", "dog": "dog"})
    ('cat', '')
    ('cat', '0.7000 ')
    ('margin 0.4 to 0.5', '0.4500 ')
    """
    if prediction.label is None or prediction.probability is None:
        return UNUSABLE, ""
    if prediction.refused:
        return REFUSED, ""
    if by == "uncertain":
        margin = _margin(prediction)
        band = min(int(_N_BANDS * margin), _N_BANDS - 1)
        return f"margin {band / _N_BANDS:.1f} to {(band + 1) / _N_BANDS:.1f}", f"{margin:.4f} "
    prefix = f"{prediction.probability:.4f} " if by == "top" else ""
    return UNDECIDED if prediction.undecided else folders[prediction.label], prefix


def _margin(prediction: Prediction) -> float:
    """Return the margin, which margin sampling asks for first.

    Notes
    -----
    B. Settles, Active Learning Literature Survey, University of Wisconsin-Madison (2009), section
    3.1.
    """
    (_, first), (_, second) = prediction.top[:N_COMPARED]
    return round(first - second, 9)

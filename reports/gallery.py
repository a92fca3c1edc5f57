"""The pictures of a test split as the page shows them: small, each once, with every answer."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.text import percent, shown
from reports.thumbnails import thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.record import Prediction, Result, Run

PICTURES_SHOWN = 1_000
"""At most so many have a thumbnail, mistaken ones first, so that the page stays small."""
LARGE, LARGE_SIZE, SMALL_SIZE = 400, 128, 96
"""So many are of the larger size; both in pixels."""


@dataclass(frozen=True)
class Answer:
    """What one classifier says of a picture; `classifier` is its place among the results shown."""

    classifier: int
    title: str
    predicted: str
    probability: float
    wrong: bool


@dataclass(frozen=True)
class Picture:
    """A test picture with what every classifier says of it; `image` is its thumbnail in Base64."""

    path: str
    true: str
    answers: list[Answer]
    image: str | None

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.replace("\\", "/").rpartition("/")[2]

    @property
    def mistakes(self) -> list[Answer]:
        """The answers that are wrong, the most confident first."""
        return sorted((a for a in self.answers if a.wrong), key=lambda a: -a.probability)


@dataclass(frozen=True)
class Gallery:
    """All pictures that have predictions: those that were mistaken, then the others."""

    mistaken: list[Picture]
    others: list[Picture]

    @property
    def n_by_all(self) -> int:
        """Pictures that every classifier is wrong about."""
        return sum(all(a.wrong for a in picture.answers) for picture in self.mistaken)

    def to_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return what the page's script needs; classes and classifiers by their positions."""
        codes = {name: code for code, name in enumerate(classes)}

        def told(picture: Picture) -> dict[str, Any]:
            return {
                "name": shown(picture.name),
                "true": codes.get(picture.true, -1),
                "answers": [
                    [a.classifier, codes.get(a.predicted, -1), percent(a.probability)]
                    for a in picture.answers
                ],
            }

        return {
            "classes": [shown(name) for name in classes],
            "mistaken": [told(picture) for picture in self.mistaken],
            "others": [{**told(picture), "image": picture.image} for picture in self.others],
        }


def gallery(run: Run, results: Sequence[Result], predictions: Sequence[Prediction]) -> Gallery:
    """Return the pictures of a run, mistaken ones sorted by the confidence of the worst mistake.

    Parameters
    ----------
    run : Run
        Thumbnails are made from the files below `run.data.root`.
    results : sequence of Result
        In the order in which the page shows them.
    predictions : sequence of Prediction
        Those of other classifiers are left out.
    """
    places = {result.classifier: i for i, result in enumerate(results)}
    answers: dict[str, list[Answer]] = {}
    truths: dict[str, str] = {}
    for row in predictions:
        if row.classifier in places:
            place = places[row.classifier]
            wrong = row.true != row.predicted
            said = Answer(place, results[place].title, row.predicted, row.probability, wrong)
            answers.setdefault(row.path, []).append(said)
            truths[row.path] = row.true

    def worst(path: str) -> float:
        return max((a.probability for a in answers[path] if a.wrong), default=0.0)

    mistaken = [path for path in answers if any(a.wrong for a in answers[path])]
    mistaken.sort(key=lambda path: (-worst(path), path))
    others = sorted(answers.keys() - set(mistaken))
    pictures = []
    for i, path in enumerate([*mistaken, *others]):
        size = LARGE_SIZE if i < min(LARGE, len(mistaken)) else SMALL_SIZE
        image = thumbnail(Path(run.data.root, path), size) if i < PICTURES_SHOWN else None
        encoded = base64.b64encode(image).decode("ascii") if image else None
        said_of = sorted(answers[path], key=lambda a: a.classifier)
        pictures.append(Picture(path, truths[path], said_of, encoded))
    return Gallery(pictures[: len(mistaken)], pictures[len(mistaken) :])

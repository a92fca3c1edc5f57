"""Evidence maps on the lesson's photographs with real ImageNet weights.

Needs `DOGS_VS_CATS_DIR` and `VGG16_WEIGHTS_FILE`, as `tests.test_photographs` does.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from reports.evidence import read_evidence
from reports.wording.evidence import evidence_sentence
from tests.commands import run_command

pytestmark = [pytest.mark.slow, pytest.mark.photographs, pytest.mark.timeout(900)]
STAMPS = {
    "lower left": (slice(210, 290), slice(10, 90)),
    "upper right": (slice(10, 90), slice(210, 290)),
}
"""Rows and columns, of 300."""


@pytest.mark.parametrize("corner", STAMPS)
def test_a_stamp_in_the_corner_of_one_class_is_where_its_evidence_goes(
    tmp_path: Path, corner: str
) -> None:
    """Nothing else tells two halves of the photographs of cats apart.

    The stamp is bright in the mean map, and named in the sentence for screen readers.
    """
    zips, weights = os.environ.get("DOGS_VS_CATS_DIR"), os.environ.get("VGG16_WEIGHTS_FILE")
    if not zips or not weights:
        pytest.skip("DOGS_VS_CATS_DIR and VGG16_WEIGHTS_FILE do not name photographs and weights")
    for split, number in (("train", 100), ("test", 30)):
        with zipfile.ZipFile(Path(zips) / f"cats-{split}.zip") as archive:
            photographs = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
            for i, name in enumerate(photographs[: 2 * number]):
                content = np.frombuffer(archive.read(name), np.uint8)
                image = cv2.resize(cv2.imdecode(content, cv2.IMREAD_COLOR), (300, 300))
                label = "stamped" if i % 2 else "plain"
                if label == "stamped":
                    image[STAMPS[corner]] = (255, 0, 255)
                folder = tmp_path / "pictures" / split / label
                folder.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / f"{i}.png"), image)
    done = run_command(
        "classify", "--data", "pictures", "--weights", weights, "--cache", "cache",
        "--clf", "logreg", "--out", "run", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = read_evidence(tmp_path / "run")
    (mean,) = (row for row in rows if not row.path and row.label == "stamped")
    sentence = evidence_sentence(mean.map, mean.label, mean.start, mean.end)
    assert sentence.endswith(f"of the evidence for stamped lies in the {corner}")
    assert int(sentence.partition("%")[0]) > 75

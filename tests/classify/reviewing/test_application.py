"""The server of a review: what it answers, what it refuses, and what it writes."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import requests

from classify import load_model
from tests.classify.reviewing.conftest import SHAPES, serving
from tests.commands import python, run_command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
JSON = {"Content-Type": "application/json"}


def get(address: str, path: str) -> Any:
    response = requests.get(address + path, timeout=30)
    assert response.status_code == 200, response.text
    return response.json()


def decide(address: str, number: int, **request: Any) -> requests.Response:
    url = f"{address}/api/queue/{number}/decision"
    return requests.post(url, json=request, timeout=30)


def rows(home: Path) -> list[tuple[str, str, str]]:
    with (home / "run" / "corrections.csv").open() as file:
        return [(row["path"], row["label"], row["decision"]) for row in csv.DictReader(file)]


def contents(home: Path) -> dict[str, str]:
    """Return the digest of every file outside of the cache."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob("*")
        if path.is_file() and "cache" not in path.parts
    }


def test_an_image_is_shown_with_everything_that_is_known(home: Path, address: str) -> None:
    """Why it is doubtful, the most similar training images, and what it shows."""
    queue = get(address, "/api/queue")
    assert queue["revision"] == 0
    assert queue["entries"][0]["kinds"][0] == "suspect"
    first = get(address, "/api/queue/0")
    assert first["name"].split("/")[1] == SHAPES[first["label"]]
    assert first["choices"] == [0, 1, 2]
    assert "? Rather " in first["reasons"][0]
    assert first["problem"] == ""
    neighbours = get(address, "/api/queue/0/neighbours")
    assert len(neighbours) == 5
    similarities = [float(one["relation"]) for one in neighbours]
    assert similarities == sorted(similarities, reverse=True)
    assert first["image"] not in [one["image"] for one in neighbours]
    original = cv2.imread(str(home / "pictures" / first["name"]))
    for size, side in (("small", 128), ("large", max(original.shape))):
        response = requests.get(f"{address}/api/images/{first['image']}/{size}", timeout=30)
        assert response.headers["Content-Type"] == "image/jpeg"
        shown = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_COLOR)
        assert max(shown.shape) == side
        expected = cv2.resize(original, shown.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(shown.astype(int) - expected).mean() < 20
    page = requests.get(f"{address}/", timeout=30)
    assert "Are these labels right?" in page.text
    assert "--labels run/corrections.csv" in page.text


def test_decisions_are_in_the_file_and_nothing_else_is_written(home: Path, address: str) -> None:
    """Every other file keeps its bytes; a server that is started again goes on."""
    before = contents(home)
    names = [get(address, f"/api/queue/{n}")["name"] for n in range(3)]
    assert decide(address, 0, decision="relabel", label=2).json()["state"]["label"] == 2
    assert decide(address, 1, decision="leave out").json()["state"]["label"] is None
    kept = decide(address, 2, decision="keep").json()["state"]
    assert kept["decision"] == "keep"
    undone = decide(address, 2, decision="undo", version=kept["version"]).json()["state"]
    assert undone["decision"] is None
    requests.post(f"{address}/api/retraining", json={}, timeout=30)
    while get(address, "/api/retraining")["running"]:
        time.sleep(0.05)
    assert [(path, kind) for path, _, kind in rows(home)] == [
        (names[0], "relabel"), (names[1], "leave out"), (names[2], "keep"), (names[2], "undo"),
    ]  # fmt: skip
    after = contents(home)
    assert after.pop("run/corrections.csv") != before.pop("run/corrections.csv")
    assert after == before


def test_the_corrections_are_taken_by_the_command(home: Path, address: str) -> None:
    first = get(address, "/api/queue/0")
    assert decide(address, 0, decision="relabel", label=(first["label"] + 1) % 3).ok
    assert decide(address, 1, decision="leave out").ok
    page = requests.get(f"{address}/", timeout=30).text
    command = page.partition('<pre tabindex="0">')[2].partition("</pre>")[0].split()
    done = run_command(*command[2:], "--out", "mended", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "1 label changed, 1 image left out" in done.stderr
    with serving(home, run="mended") as again:
        page = requests.get(f"{again}/", timeout=30).text
    assert "--labels run/corrections.csv --labels mended/corrections.csv" in page


@pytest.mark.parametrize("classifier", ["logreg", "centroid"])
def test_the_evidence_for_what_an_image_may_be_and_for_its_label_is_shown(
    home: Path, classifier: str
) -> None:
    """With one scale; that of the saved model."""
    with serving(home, "--clf", classifier) as address:
        first = get(address, "/api/queue/0")
        found = get(address, "/api/queue/0/evidence")
    assert [one["label"] for one in found][1:] == [SHAPES[first["label"]]]
    assert found[0]["label"] in first["reasons"][0]
    assert {one["exact"] for one in found} == {classifier == "logreg"}
    model = load_model(home / "run", classifier, cache=home / "cache",
                       weights=str(home / "mobilenet.weights.h5"))  # fmt: skip
    path = home / "pictures" / first["name"]
    for one in found:
        expected = model.explain([path], one["label"])
        np.testing.assert_allclose(one["map"], expected.maps[0], rtol=1e-3, atol=1e-4)
        assert one["label"] in one["sentence"]
        assert one["overlay"].startswith("iVBOR")


def test_without_evidence_the_page_goes_on(home: Path) -> None:
    """The reason is in the terminal, once."""
    (home / "run" / "logreg.skops").unlink()
    process = subprocess.Popen(
        [sys.executable, "-m", "classify.review", "run", "--cache", "cache", "--clf", "logreg"],
        cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    address = process.stdout.readline().strip().rstrip("/")
    assert [get(address, f"/api/queue/{i}/evidence") for i in range(3)] == [[], [], []]
    assert decide(address, 0, decision="keep").ok
    process.terminate()
    _, complaints = process.communicate(timeout=30)
    assert complaints.count("no evidence is shown") == 1


def test_two_tabs_hear_of_each_other(home: Path, address: str) -> None:
    """Both append; each answer has what the other tab has decided since."""
    assert decide(address, 0, decision="relabel", label=1, revision=0).ok
    answer = decide(address, 1, decision="keep", revision=0).json()
    assert answer["revision"] == 2
    assert [state["number"] for state in answer["changes"]] == [0, 1]
    other = decide(address, 0, decision="leave out", revision=2).json()
    refused = decide(address, 0, decision="undo", version=1, revision=2)
    assert refused.status_code == 409
    assert "decided again since" in refused.json()["detail"]
    assert decide(address, 0, decision="undo", version=other["state"]["version"]).ok
    with ThreadPoolExecutor(4) as tabs:
        answers = list(tabs.map(lambda n: decide(address, n % 5, decision="keep"), range(40)))
    assert all(answer.ok for answer in answers)
    assert len(rows(home)) == 44


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),  # another server of this machine
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 400),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_only_the_page_of_the_server_may_decide(
    served: tuple[Path, str],
    headers: dict[str, str],
    status: int,
) -> None:
    """A page of another site can neither decide nor read; nothing of it is written."""
    home, address = served
    before = len(rows(home))
    response = requests.post(
        f"{address}/api/queue/0/decision",
        data='{"decision": "keep"}',
        headers=JSON | headers,
        timeout=30,
    )
    assert response.status_code == status, response.text
    assert len(rows(home)) == before + (status == 200)
    if "Content-Type" not in headers:
        reading = requests.get(f"{address}/api/queue/0", headers=headers, timeout=30)
        assert reading.status_code == status


def test_its_own_origin_may_decide(served: tuple[Path, str]) -> None:
    _, address = served
    for origin in (address, address.replace("127.0.0.1", "localhost")):
        headers = JSON | {"Origin": origin}
        url = f"{origin}/api/queue/0/decision"
        assert requests.post(url, data='{"decision": "keep"}', headers=headers, timeout=30).ok


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/queue/999", None, 404),
        ("GET", "/api/queue/-1", None, 422),
        ("GET", "/api/queue/x", None, 422),
        ("GET", "/api/images/999/small", None, 404),
        ("GET", "/api/images/0/huge", None, 422),
        ("GET", "/api/images/..%2f..%2fetc%2fpasswd/small", None, 404),
        ("GET", "/../../etc/passwd", None, 404),
        ("GET", "/docs", None, 404),
        ("GET", "/openapi.json", None, 404),
        ("POST", "/api/queue/999/decision", {"decision": "keep"}, 404),
        ("POST", "/api/queue/0/decision", {"decision": "delete"}, 422),
        ("POST", "/api/queue/0/decision", {"decision": "relabel"}, 422),
        ("POST", "/api/queue/0/decision", {"decision": "relabel", "label": 3}, 422),
        ("POST", "/api/queue/0/decision", {"decision": "relabel", "label": -1}, 422),
        ("POST", "/api/queue/0/decision", {}, 422),
        ("POST", "/api/queue/1/decision", {"decision": "undo", "version": 0}, 409),
        ("PUT", "/api/queue/0/decision", {"decision": "keep"}, 405),
        ("DELETE", "/api/queue/0", None, 405),
        ("GET", "/api/queue/0/decision", None, 405),
    ],
)
def test_what_there_is_not_is_refused(
    served: tuple[Path, str], method: str, path: str, body: Any, status: int
) -> None:
    """Numbers, classes, decisions and methods; nothing is written."""
    home, address = served
    before = rows(home)
    response = requests.request(method, address + path, json=body, timeout=30)
    assert response.status_code == status, response.text
    assert rows(home) == before
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_an_image_that_has_changed_is_said_and_not_decided(home: Path, address: str) -> None:
    """So is one that is gone; the next decision is possible once the file is back."""
    path = home / "pictures" / get(address, "/api/queue/0")["name"]
    data = path.read_bytes()
    path.write_bytes(data + b"\0")
    assert "has changed since the run" in get(address, "/api/queue/0")["problem"]
    refused = decide(address, 0, decision="keep")
    assert refused.status_code == 409
    assert "has changed since the run" in refused.json()["detail"]
    path.unlink()
    found = get(address, "/api/queue/0")
    assert "cannot be read any more" in found["problem"]
    assert (
        requests.get(f"{address}/api/images/{found['image']}/large", timeout=30).status_code == 404
    )
    path.write_bytes(data)
    assert decide(address, 0, decision="keep").ok
    assert len(rows(home)) == 1


def test_images_that_are_gone_are_mentioned_at_the_start(home: Path) -> None:
    """Each one says again why nothing can be decided about it."""
    (home / "pictures").rename(home / "moved")
    with serving(home, said=f"the images are no longer at {home / 'pictures'}") as address:
        assert "cannot be read any more" in get(address, "/api/queue/0")["problem"]


def test_a_second_server_of_the_run_is_refused(home: Path, address: str) -> None:
    """In one sentence; the first one goes on."""
    done = run_command("classify.review", "run", "--cache", "cache", cwd=home)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "another process is reviewing this run" in done.stderr
    assert decide(address, 0, decision="keep").ok


def test_training_again_is_one_at_a_time_and_says_what_changes(
    home: Path, address: str, truth: dict[str, str]
) -> None:
    """A second request gets the running one; images are named with what flips."""
    for n, entry in enumerate(get(address, "/api/queue")["entries"]):
        if entry["kinds"][0] == "suspect":
            right = SHAPES.index(truth[get(address, f"/api/queue/{n}")["name"]])
            assert decide(address, n, decision="relabel", label=right).ok
    url = f"{address}/api/retraining"
    for _ in range(2):
        assert requests.post(url, json={}, timeout=30).json()["running"]
    answer = get(address, "/api/retraining")
    while answer["running"]:
        time.sleep(0.05)
        answer = get(address, "/api/retraining")
    assert answer["problem"] == ""
    assert answer["sentences"][0].startswith("Trained with ")
    assert "whose label was not changed" in answer["sentences"][1]
    groups = {group["title"]: group for group in answer["groups"]}
    flips = groups["Now correct"]["flips"]
    assert groups["Now correct"]["number"] == len(flips) > 0
    label, _, words = flips[0]["words"].removeprefix("label ").partition("; predicted ")
    assert words.endswith(f", now {label}")


def test_a_run_without_images_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", embeddings=np.eye(12), labels=["cat", "dog"] * 6)
    done = run_command(
        "classify", "--embeddings", "x.npz", "--clf", "centroid", "--out", "run", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    done = run_command("classify.review", "run", cwd=tmp_path)
    assert done.returncode == 2
    assert "only labels of images can be reviewed" in done.stderr
    assert not (tmp_path / "run" / "corrections.csv").exists()


def test_neither_help_nor_a_review_imports_tensorflow(home: Path) -> None:
    """Not even to train again."""
    done = python(
        "-X", "importtime", "-m", "classify.review", "--help", cwd=home
    )  # fmt: skip
    assert done.returncode == 0
    assert "tensorflow" not in done.stderr
    assert "sklearn" not in done.stderr
    source = (
        "import sys, time; from pathlib import Path;"
        "from classify.reviewing.review import Review\n"
        "with Review(Path('run'), cache='cache') as review:\n"
        "    review.neighbours(review.queue[0].picture)\n"
        "    review.retraining.start()\n"
        "    while review.retraining.state.is_running: time.sleep(0.05)\n"
        "    assert review.retraining.state.retrained, review.retraining.state\n"
        "print('tensorflow' in sys.modules)"
    )
    done = python("-c", source, cwd=home)
    assert done.stdout.strip() == "False", done.stderr

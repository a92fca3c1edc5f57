"""The server without a browser: requests of programs and of attackers."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
import requests

from classify.serving.model import Model
from extract.datasets.sources.shapes import draw_image, encode_jpeg
from extract.images.thumbnails import open_thumbnails
from tests.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


UPLOAD = "application/octet-stream"


def ask(
    server: str, data: bytes, kind: str = UPLOAD, *, what: str = "classify"
) -> requests.Response:
    headers = {"Content-Type": kind}
    return requests.post(f"{server}/api/{what}", data=data, headers=headers, timeout=30)


def connected(server: str) -> socket.socket:
    where = urlsplit(server)
    return socket.create_connection((where.hostname, where.port), timeout=10)


def received(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_prediction_is_that_of_the_library(server: str, report: Path, tmp_path: Path) -> None:
    """The same class, and the same probability up to rounding."""
    path = tmp_path / "new.png"
    cv2.imwrite(str(path), draw_image("test", 120)[:, :, ::-1])
    response = ask(server, path.read_bytes()).json()
    home = report.parents[1]
    model = Model(report.parent, cache=home / "cache", weights=str(home / "vgg16.npz"))
    (expected,) = model.predict_files([path])
    assert response["label"] == expected.label
    assert response["probability"] == pytest.approx(expected.probability, abs=1e-5)
    assert sum(entry["probability"] for entry in response["probabilities"]) == pytest.approx(1)


def test_the_evidence_is_that_of_the_library(server: str, report: Path, tmp_path: Path) -> None:
    """Of the predicted class; what is no image, or no upload, is refused as for a prediction."""
    path = tmp_path / "new.png"
    cv2.imwrite(str(path), draw_image("test", 120)[:, :, ::-1])
    response = ask(server, path.read_bytes(), what="explain").json()
    home = report.parents[1]
    model = Model(report.parent, cache=home / "cache", weights=str(home / "vgg16.npz"))
    found = model.explain([path])
    assert response["label"] == found.classes[0] == model.predict([path])[0]
    assert response["score"] == pytest.approx(found.scores[0], abs=1e-5)
    assert response["exact"] == found.exact
    np.testing.assert_allclose(response["map"], found.maps[0], atol=1e-5)
    total = sum(map(sum, response["map"])) + response["intercept"]
    assert total == pytest.approx(response["score"], abs=1e-5)
    assert response["label"] in response["sentence"]
    assert ask(server, b"hello", what="explain").status_code == 422
    assert ask(server, path.read_bytes(), "text/plain", what="explain").status_code == 415


def test_a_training_image_is_its_own_nearest_neighbour(server: str, report: Path) -> None:
    """With a cosine of one, and close to its position on the map."""
    path = report.parents[1] / "pictures" / "train" / "disc" / "7.png"
    path = path if path.exists() else next(path.parent.glob("*.png"))
    response = ask(server, path.read_bytes()).json()
    near = response["neighbours"][0]
    assert near["name"] == f"train/disc/{path.name}"
    assert near["similarity"] == pytest.approx(1, abs=1e-5)
    assert [entry["similarity"] for entry in response["neighbours"]] == sorted(
        (entry["similarity"] for entry in response["neighbours"]), reverse=True
    )
    image = requests.get(server + near["thumbnail"], timeout=10)
    assert image.headers["content-type"] == "image/jpeg"
    with open_thumbnails() as thumbnail:
        assert image.content == thumbnail(path, 128)
    points = json.loads((report.parent / "run.json").read_text())["embedding_map"]["points"]
    (own,) = (point for point in points if point["path"] == near["name"])
    assert response["place"]["x"] == pytest.approx(own["x"], abs=0.02)
    assert response["place"]["y"] == pytest.approx(own["y"], abs=0.02)


def test_ten_requests_at_once_get_the_same_predictions(server: str) -> None:
    """As one after another, without an error."""
    pictures = [encode_jpeg(draw_image("test", i)) for i in range(10)]
    alone = [ask(server, data).json()["probability"] for data in pictures]
    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(lambda data: ask(server, data), pictures * 3))
    assert {response.status_code for response in together} == {200}
    assert [response.json()["probability"] for response in together] == alone * 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (encode_jpeg(draw_image("test", 0))[:500], "truncated JPEG"),
        (b"P6\n60000 60000\n255\n", "more than 50,000,000 pixels"),
    ],
)
def test_bytes_that_are_no_image_are_refused_with_the_reason(
    server: str, data: bytes, words: str
) -> None:
    """The reason is that of an extraction; the server keeps running."""
    response = ask(server, data)
    assert response.status_code == 422
    assert words in response.json()["detail"]
    assert ask(server, encode_jpeg(draw_image("test", 0))).status_code == 200


def test_a_too_large_upload_is_refused(server: str) -> None:
    """By its announced length before it is read; without one, as soon as it is too long."""
    large = 33 * 2**20
    assert ask(server, bytes(large)).status_code == 413

    head = (
        f"POST /api/classify HTTP/1.1\r\nHost: {urlsplit(server).netloc}\r\n"
        f"Content-Type: {UPLOAD}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with connected(server) as connection:
        connection.sendall(head.encode())
        for _ in range(33):  # and never an end
            connection.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
        assert connection.recv(65536).split()[1] == b"413"
    assert ask(server, encode_jpeg(draw_image("test", 0))).status_code == 200


def test_a_client_that_disconnects_does_no_harm(server: str) -> None:
    """The server keeps running without a traceback (the fixture checks that)."""
    head = (
        f"POST /api/classify HTTP/1.1\r\nHost: {urlsplit(server).netloc}\r\n"
        f"Content-Type: {UPLOAD}\r\nContent-Length: 100000\r\n\r\n"
    )
    with connected(server) as connection:
        connection.sendall(head.encode() + bytes(1000))
    assert ask(server, encode_jpeg(draw_image("test", 0))).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "image/jpeg"])
def test_other_content_types_are_refused(server: str, kind: str) -> None:
    """Also those that other sites can send without a preflight; the message says what to do."""
    response = ask(server, encode_jpeg(draw_image("test", 0)), kind)
    assert response.status_code == 415
    assert "the bytes of an image file as the body" in response.json()["detail"]


def test_other_sites_may_neither_embed_nor_read_it(server: str) -> None:
    """By the headers of every response."""
    for path in ("/", "/docs", "/openapi.json"):
        headers = requests.get(server + path, timeout=10).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


def test_a_missing_training_image_is_reported(server: str, report: Path) -> None:
    """One whose file is gone, and one that never existed."""
    path = next((report.parents[1] / "pictures" / "train" / "star").glob("*.png"))
    near = ask(server, path.read_bytes()).json()["neighbours"][0]
    hidden = path.rename(path.with_suffix(".hidden"))
    try:
        gone = requests.get(server + near["thumbnail"], timeout=10)
    finally:
        hidden.rename(path)
    assert gone.status_code == 404
    assert "no longer where it was" in gone.json()["detail"]
    never = requests.get(f"{server}/api/training/{'0' * 64}/thumbnail", timeout=10)
    assert never.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../run.json",
        "/%2e%2e/run.json",
        "/api/training/..%2f..%2frun.json/thumbnail",
        "/api/training/1/thumbnail",
        "/api/training//etc/passwd/thumbnail",
        "/static/style.css",
    ],
)
def test_no_request_names_a_file_of_the_server(server: str, path: str) -> None:
    """Training images are named by their SHA-256; nothing else is served."""
    with connected(server) as connection:
        host = urlsplit(server).netloc
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = received(connection)
    assert answer.split()[1] in (b"404", b"422")
    assert b"schema" not in answer
    assert b"root:" not in answer


def test_other_host_names_are_refused(server: str) -> None:
    """A name that was made to resolve to this computer (DNS rebinding)."""
    response = requests.get(f"{server}/", headers={"Host": "evil.example"}, timeout=10)
    assert response.status_code == 400
    local = server.replace("127.0.0.1", "localhost")
    assert requests.get(f"{local}/", timeout=10).status_code == 200


def test_it_listens_on_this_computer_alone(server: str) -> None:
    """On 127.0.0.1 and no other address."""
    port = urlsplit(server).port
    assert urlsplit(server).hostname == "127.0.0.1"
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", port)) != 0


def test_the_schema_describes_the_responses(server: str) -> None:
    """OpenAPI for programs, and a page for people that loads nothing from other servers."""
    schema = requests.get(f"{server}/openapi.json", timeout=10).json()
    answer = schema["components"]["schemas"]["PredictionResponse"]["properties"]
    response = ask(server, encode_jpeg(draw_image("test", 0))).json()
    assert set(answer) == set(response)
    answer = schema["components"]["schemas"]["EvidenceResponse"]["properties"]
    evidence = ask(server, encode_jpeg(draw_image("test", 0)), what="explain").json()
    assert set(answer) == set(evidence)
    operation = schema["paths"]["/api/classify"]["post"]
    assert set(operation["responses"]) == {"200", "408", "413", "415", "422", "500", "503"}
    assert "application/octet-stream" in operation["requestBody"]["content"]
    page = requests.get(f"{server}/docs", timeout=10).text
    for words in ("POST /api/classify", "PredictionResponse", "list of SimilarImage", "curl"):
        assert words in page
    assert 'src="http' not in page


def test_wrong_arguments_give_clear_messages(report: Path) -> None:
    """With status 2, before anything is loaded."""
    home = report.parents[1]

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, words in (
            (("gone",), "is not a run"),
            (("run", "--clf", "cnn", "--cache", "cache"), "it holds: svm, nearest, centroid"),
            (("run", "--port", port), "cannot listen on 127.0.0.1"),
            (("run", "--port", "99999"), "expected a number from 0 to 65535"),
            (("run", "--host", "no.such.host.invalid"), "cannot listen on"),
            (("run", "--host", ".."), "cannot listen on"),
        ):
            done = run_command("classify.serve", *arguments, cwd=home)
            assert done.returncode == 2, done.stderr
            assert words in done.stderr
            assert "Traceback" not in done.stderr

"""A server that is killed at any moment has kept every decision that it has confirmed."""

from __future__ import annotations

import contextlib
import csv
import random
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
import requests

from tests.classify.reviewing.conftest import SHAPES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

LONGEST = 0.5
"""Seconds after the first decision within which the server is killed."""
MOMENTS = [
    pytest.param(seed, marks=[] if seed < 3 else pytest.mark.exhaustive) for seed in range(50)
]


class Tab(threading.Thread):
    """Decides about images until the server is gone, and remembers what was confirmed."""

    def __init__(self, address: str, seed: int) -> None:
        super().__init__()
        self.confirmed: list[tuple[int, str, int]] = []
        self._address, self._random = address, random.Random(seed)

    def run(self) -> None:
        with requests.Session() as session, contextlib.suppress(requests.RequestException):
            while True:
                number, label = self._random.randrange(10), self._random.randrange(len(SHAPES))
                answer = session.post(
                    f"{self._address}/api/queue/{number}/decision",
                    json={"decision": "relabel", "label": label},
                    timeout=10,
                ).json()
                version = answer["state"]["version"]
                self.confirmed.append((number, SHAPES[label], version))


@pytest.mark.parametrize("seed", MOMENTS)
def test_what_was_confirmed_is_in_the_file(home: Path, seed: int) -> None:
    """Of two tabs at once; the next server goes on with all of it."""
    moment = random.Random(seed).uniform(0, LONGEST)
    command = [sys.executable, "-m", "classify.review", "run", "--cache", "cache", "--quiet"]
    server = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().strip().rstrip("/")
    names = [
        requests.get(f"{address}/api/queue/{number}", timeout=10).json()["name"]
        for number in range(10)
    ]
    tabs = [Tab(address, seed + 100 * i) for i in range(2)]
    for tab in tabs:
        tab.start()
    time.sleep(moment)
    server.kill()
    server.wait()
    for tab in tabs:
        tab.join()
    path = home / "run" / "corrections.csv"
    data = path.read_bytes()
    complete = list(csv.DictReader(data[: data.rfind(b"\n") + 1].decode().splitlines()))
    of_image: dict[str, list[str]] = {}
    for row in complete:
        of_image.setdefault(row["path"], []).append(row["label"])
    confirmed = [decision for tab in tabs for decision in tab.confirmed]
    for number, label, version in confirmed:
        assert of_image[names[number]][version - 1] == label
    assert len(confirmed) <= len(complete) <= len(confirmed) + len(tabs)

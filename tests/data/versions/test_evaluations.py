"""The count of evaluations of a test set."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.data.images.resizing import resize
from cnnstudio.data.versions.evaluations import count_evaluation, describe_evaluations, evaluation_count
from cnnstudio.data.versions.version import version_of

VERSION, OTHER = "0123456789abcdef", "fedcba9876543210"


def test_evaluations_are_counted_for_each_version_and_those_with_a_key_once() -> None:
    assert evaluation_count(VERSION) == 0
    for key in ("", "", "run", "run", "another"):
        count_evaluation(VERSION, "first", 3, key)
    count_evaluation(OTHER, "first", 3)
    assert (evaluation_count(VERSION), evaluation_count(OTHER)) == (4, 1)


def test_several_programs_count_together() -> None:
    threads = [
        threading.Thread(target=lambda: [count_evaluation(VERSION, "run", 1) for _ in range(5)])
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert evaluation_count(VERSION) == 15


def test_only_the_latest_are_kept_but_all_are_counted(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr("cnnstudio.data.versions.evaluations._MAX_KEPT", 3)
    for epoch in range(6):
        count_evaluation(VERSION, "run", epoch)
    assert evaluation_count(VERSION) == 6
    text = (home / "datasets" / "evaluations" / f"{VERSION}.json").read_text()
    assert text.count('"epoch"') == 3


@pytest.mark.parametrize("content", ["[]", "{", '{"count": -1, "evaluations": []}', '{"count": 3}'])
def test_a_damaged_count_begins_again(home: Path, content: str) -> None:
    path = home / "datasets" / "evaluations" / f"{VERSION}.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert evaluation_count(VERSION) == 0
    count_evaluation(VERSION, "run", 1)
    assert evaluation_count(VERSION) == 1


def test_what_is_no_version_is_not_counted(home: Path) -> None:
    count_evaluation("../outside", "run", 1)
    assert evaluation_count("../outside") == 0
    assert not home.exists()


def test_the_count_in_words() -> None:
    assert [describe_evaluations(count) for count in (0, 1, 1_200)] == [
        "",
        "evaluated once",
        "evaluated 1,200 times",
    ]


def test_resized_images_are_the_same_version() -> None:
    split = Split(np.zeros((4, 3, 8, 8), np.uint8), np.array([0, 1, 0, 1], np.int64))
    dataset = Dataset("d", "D", ("a", "b"), split, split)
    assert version_of(resize(dataset, (1, 4, 4))) == version_of(dataset)

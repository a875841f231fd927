"""Corrections while a data set is looked at: shown at once, kept in their file, and undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import shiboken6
from PIL import Image
from pytestqt.qtbot import QtBot

from cnnstudio.core.progress import ignore_progress, never_cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources import register
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.versions.corrections import corrections_path, read_corrections
from cnnstudio.data.versions.relabeling import correct_known, relabel
from cnnstudio.gui.pages.data_set.images import label_overlay
from cnnstudio.gui.pages.data_set.images.label_overlay import LabelOverlay
from cnnstudio.gui.pages.data_set.images.viewed_set import load_files


@pytest.fixture
def pets(tmp_path: Path) -> FileSource:
    for part, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (8, 8), (200 * label, 60 * index, 0)).save(folder / f"{index}.png")
    return register(ImageFolder(tmp_path / "pets"))


@pytest.fixture
def overlay(pets: FileSource, qtbot: QtBot) -> Iterator[LabelOverlay]:
    found = LabelOverlay(load_files(pets, ignore_progress, never_cancelled))
    yield found
    found.finish()
    found.deleteLater()


def kept(source: FileSource) -> dict[str, str | None]:
    return {file: entry.label for file, entry in read_corrections(source.path).entries.items()}


def test_a_correction_is_what_the_next_training_gets(pets: FileSource, overlay: LabelOverlay) -> None:
    overlay.set_label("train/cat/0.png", "dog")
    overlay.exclude(["test/dog/1.png"])
    assert overlay.labels["train"].tolist() == [1, 0, 0, 1, 1, 1]
    assert overlay.counts == (1, 1)
    overlay.finish()

    assert kept(pets) == {"train/cat/0.png": "dog", "test/dog/1.png": None}
    dataset = pets.load()
    assert dataset.train.labels.tolist() == [1, 0, 0, 1, 1, 1]
    assert len(dataset.test) == 3
    assert dataset.version == overlay.version


def test_each_change_is_undone_alone_and_all_at_once(pets: FileSource, overlay: LabelOverlay) -> None:
    overlay.set_label("train/cat/0.png", "dog")
    overlay.set_label("train/cat/1.png", "dog")
    assert overlay.undo() == "train/cat/1.png"
    assert overlay.labels["train"].tolist() == [1, 0, 0, 1, 1, 1]
    overlay.exclude(["train/dog/2.png"])
    overlay.undo_all()
    assert overlay.counts == (0, 0)
    overlay.finish()
    assert kept(pets) == {}

    assert overlay.undo() is not None
    overlay.finish()
    assert kept(pets) == {"train/cat/0.png": "dog", "train/dog/2.png": None}
    assert overlay.excluded["train"].tolist() == [False] * 5 + [True]


def test_the_label_of_the_file_is_no_correction(pets: FileSource, overlay: LabelOverlay) -> None:
    overlay.set_label("train/cat/0.png", "dog")
    overlay.set_label("train/cat/0.png", "cat")
    overlay.finish()
    assert (kept(pets), overlay.entries) == ({}, {})


def test_earlier_corrections_and_their_undo_are_known_again(pets: FileSource, qtbot: QtBot) -> None:
    relabel(pets, {"train/cat/2.png": "dog"})
    again = LabelOverlay(load_files(pets, ignore_progress, never_cancelled))
    assert again.label("train/cat/2.png") == "dog"
    assert again.undo() == "train/cat/2.png"
    again.finish()
    assert kept(pets) == {}
    again.deleteLater()


def test_corrections_are_kept_after_another_data_set_is_shown(pets: FileSource, qtbot: QtBot) -> None:
    left = LabelOverlay(load_files(pets, ignore_progress, never_cancelled))
    for number in range(3):
        left.set_label(f"train/cat/{number}.png", "dog")
    left.close()
    qtbot.waitUntil(lambda: len(kept(pets)) == 3)
    qtbot.waitUntil(lambda: not shiboken6.isValid(left))


def test_one_correction_that_cannot_be_kept_does_not_lose_the_next_ones(
    pets: FileSource, overlay: LabelOverlay, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: FileSource, changes: dict[str, str | None], reset: list[str]) -> object:
        if "train/cat/0.png" in changes:
            raise DataError("The drive is gone.")
        return correct_known(source, changes, reset)

    monkeypatch.setattr(label_overlay, "correct_known", refuse)
    reasons = list[object]()
    overlay.failed.connect(reasons.append)
    overlay.set_label("train/cat/0.png", "dog")
    overlay.set_label("train/cat/1.png", "dog")
    overlay.undo()
    overlay.exclude(["train/cat/2.png"])
    qtbot.waitUntil(lambda: bool(reasons) and set(overlay.entries) == {"train/cat/2.png"})
    assert kept(pets) == {"train/cat/2.png": None}
    assert reasons == ["A correction was not kept. The drive is gone."]


def test_what_cannot_be_kept_is_said_and_taken_back(
    pets: FileSource, overlay: LabelOverlay, qtbot: QtBot
) -> None:
    corrections_path(pets.path).parent.parent.mkdir(parents=True, exist_ok=True)
    corrections_path(pets.path).parent.write_text("a file in the way")
    reasons = list[object]()
    overlay.failed.connect(reasons.append)
    overlay.set_label("train/cat/0.png", "dog")
    qtbot.waitUntil(lambda: bool(reasons) and not overlay.entries)
    assert str(reasons[0]).startswith("A correction was not kept.")
    assert overlay.labels["train"].tolist() == [0, 0, 0, 1, 1, 1]

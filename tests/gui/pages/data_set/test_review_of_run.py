"""From images that a view of a run shows to the files of its data set."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from cnnstudio.data.sources import register
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.versions.relabeling import relabel
from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.gui.dashboard.views.base import ImagesToReview, ImageToReview
from cnnstudio.gui.pages.data_set.review_of_run import ReviewOfRun
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.training.recipe.recipe import Recipe
from tests.runs.written import WrittenRun


@pytest.fixture
def pets(tmp_path: Path) -> FileSource:
    """In the list under another name than that of their folder."""
    for part, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (8, 8), (200 * label, 60 * index, 0)).save(folder / f"{index}.png")
    return register(ImageFolder(tmp_path / "pets"), "animals")


@pytest.fixture
def run(pets: FileSource, tmp_path: Path) -> Path:
    """One that names its images by their folder, and validates on the test images."""
    dataset = pets.load()
    written = WrittenRun(tmp_path / "run", recipe=Recipe("lesson"))
    data = {"source": str(pets.path), "fingerprint": dataset.fingerprint, "version": dataset.version}
    written.update_metadata(data=data, classes=list(dataset.classes))
    return tmp_path / "run"


def look_for(run: Path, qtbot: QtBot, *images: ImageToReview) -> tuple[list[object], list[Message]]:
    review, found, messages = ReviewOfRun(), list[object](), list[Message]()
    review.found.connect(found.append)
    review.message.connect(messages.append)
    review.look_for(run, ImagesToReview("cat → dog", images))
    qtbot.waitUntil(lambda: bool(found or messages))
    review.close()
    return found, messages


def test_each_image_keeps_its_reason_where_others_are_unknown(
    pets: FileSource, run: Path, qtbot: QtBot
) -> None:
    images = (
        ImageToReview(3, "cat", 0.9, "first"),
        ImageToReview(99, "cat", 0.8, "none"),
        ImageToReview(0, "dog", 0.7, "second"),
    )
    relabel(pets, {"test/dog/1.png": "cat"}, exclude=["test/cat/1.png"])
    found, _ = look_for(run, qtbot, *images)
    expected = [
        ReviewItem("test/dog/1.png", "dog", "cat", 0.9, "first", split="test", row=3),
        ReviewItem("test/cat/0.png", "cat", "dog", 0.7, "second", split="test", row=0),
    ]
    assert found == [("animals", "cat → dog", expected)]


def test_files_that_have_changed_are_said(pets: FileSource, run: Path, qtbot: QtBot) -> None:
    Image.new("RGB", (8, 8), (9, 9, 9)).save(pets.path / "train" / "cat" / "0.png")
    found, messages = look_for(run, qtbot, ImageToReview(0))
    assert not found
    assert messages[0].is_error
    assert "have changed since the run was trained" in messages[0].text

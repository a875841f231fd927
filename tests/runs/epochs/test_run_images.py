"""The images of a run as it was trained on them, found by file after labels were corrected."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cnnstudio.core.progress import ignore_progress, never_cancelled
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.versions.relabeling import relabel
from cnnstudio.runs.epochs.image_names import NamedImage, name_images
from cnnstudio.runs.epochs.run_images import load_run_images
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run
from cnnstudio.training.recipe.recipe import Recipe
from tests.runs.written import WrittenRun


@pytest.fixture
def source(tmp_path: Path) -> ImageFolder:
    """Ten cats, red from 0 to 9, and ten dogs, red from 10 to 19; every fifth is a test image."""
    for number in range(20):
        part = "test" if number % 5 == 4 else "train"
        path = tmp_path / "pets" / part / ("cat" if number < 10 else "dog") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 6), (number, 50, 90)).save(path)
    return ImageFolder(tmp_path / "pets")


def run_on(source: ImageFolder, folder: Path, recipe: Recipe) -> Run:
    """A run on the images as they are corrected now."""
    dataset = source.load()
    written = WrittenRun(folder, recipe=recipe)
    data = {"source": str(source.path), "fingerprint": dataset.fingerprint, "version": dataset.version}
    written.update_metadata(data=data, classes=list(dataset.classes))
    return Run.open(folder)


def names_of(run: Run, count: int = 20) -> list[NamedImage]:
    return name_images(run, range(count), ignore_progress, never_cancelled)


SHARE, LESSON = Recipe("share", validation_share=0.25), Recipe("lesson")


def test_validation_images_are_named_with_their_files_and_labels(source: ImageFolder, tmp_path: Path) -> None:
    run = run_on(source, tmp_path / "run", SHARE)
    _, rows = source.load().hold_out(0.25, SHARE.seed)
    _, files = source.load_with_files()
    named = names_of(run)
    assert [image.file for image in named] == [files["train"][row] for row in rows]
    assert {image.split for image in named} == {"train"}
    assert [image.label for image in named] == [image.file.split("/")[1] for image in named]


def test_test_images_are_named_where_they_are_the_validation_images(
    source: ImageFolder, tmp_path: Path
) -> None:
    named = name_images(run_on(source, tmp_path / "run", LESSON), [1, 3], ignore_progress, never_cancelled)
    assert [(each.file, each.split, each.row) for each in named] == [
        ("test/cat/09.png", "test", 1),
        ("test/dog/19.png", "test", 3),
    ]


def test_numbers_that_no_image_has_are_left_out(source: ImageFolder, tmp_path: Path) -> None:
    run = run_on(source, tmp_path / "run", LESSON)
    assert name_images(run, [-1, 4, 10**6], ignore_progress, never_cancelled) == []


@pytest.mark.parametrize("has_earlier", [False, True])
def test_images_of_a_run_are_found_after_more_labels_were_corrected(
    source: ImageFolder, tmp_path: Path, has_earlier: bool
) -> None:
    if has_earlier:
        relabel(source, {"train/cat/03.png": "dog"}, exclude=["train/dog/10.png"])
    run = run_on(source, tmp_path / "run", SHARE)
    before, images = names_of(run), source.load().train
    relabel(source, {"train/cat/01.png": "dog", "train/cat/03.png": "cat"}, exclude=["train/cat/00.png"])
    assert source.load().fingerprint != run.dataset_fingerprint

    assert names_of(run) == before
    dataset, files = load_run_images(run, ignore_progress, never_cancelled)
    assert (dataset.train.images == images.images).all()
    assert (dataset.train.labels == images.labels).all()
    assert dataset.version == run.data_version
    assert files is not None
    assert ("train/dog/10.png" in files["train"]) is not has_earlier


def test_a_run_of_before_versions_is_found_by_the_images_as_they_are_in_the_files(
    source: ImageFolder, tmp_path: Path
) -> None:
    run = run_on(source, tmp_path / "run", SHARE)
    run.metadata["data"]["version"] = ""
    relabel(source, {"train/cat/01.png": "dog"})
    dataset, _ = load_run_images(run, ignore_progress, never_cancelled)
    assert dataset.fingerprint == run.dataset_fingerprint


def test_files_that_have_changed_are_refused(source: ImageFolder, tmp_path: Path) -> None:
    run = run_on(source, tmp_path / "run", SHARE)
    Image.new("RGB", (6, 6), (200, 0, 0)).save(source.path / "train" / "cat" / "00.png")
    with pytest.raises(RunError, match="The images of pets have changed since the run was trained on them"):
        names_of(run)

"""The training images, as a run's network sees them, are described from what the training kept of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnstudio.data.sources import find_source
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.versions.relabeling import relabel
from cnnstudio.design import edits
from cnnstudio.insight.confidence import references
from cnnstudio.insight.confidence.reference_images import References
from cnnstudio.insight.instrument import finish
from cnnstudio.runs.epochs.answering import run_images
from cnnstudio.runs.epochs.inspection import Inspector, resolve_epoch
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.frozen.store import features_folder
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import image_folder
from tests.training.networks import tiny

RECIPE = Recipe("quick", epochs=2, batch_size=8, validation_share=0.2)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were described by running the whole network over them, each time."""
    counts: list[int] = []
    real = references.last_features

    def counting(model: object, pixels: np.ndarray) -> np.ndarray:
        counts.append(len(pixels))
        return real(model, pixels)  # type: ignore[arg-type]  # a model

    monkeypatch.setattr(references, "last_features", counting)
    return counts


def trained(folder: Path, recipe: Recipe = RECIPE, *, locked: int = 2, corrected: bool = False) -> Run:
    """A run whose first layers are locked."""
    images = image_folder(folder / "images", count=40)
    source = find_source(str(images))
    if corrected:
        source.load()
        assert isinstance(source, FileSource)
        relabel(source, {"train/bright/3.png": "dark"})
    network = tiny(2)
    network = edits.set_trainable(network, [node.id for node in network.nodes[:locked]], False)
    options = RunOptions(folder=folder / "run", threads=1, source=str(images))
    start_run(network, source.load(), recipe, options)
    return Run.open(folder / "run")


def found(run: Run) -> References:
    inspector = Inspector(lambda run: run_images(run, lambda _: None), "cpu")
    return finish(inspector.references(run.folder, resolve_epoch(run)))


def without_kept(compute: Callable[[], References]) -> References:
    """The same without anything that was kept."""
    for path in features_folder().iterdir():
        path.unlink()
    return compute()


@pytest.mark.parametrize("corrected", [False, True], ids=["", "corrected"])
@pytest.mark.parametrize("share", [0.2, 0.0], ids=["share", "own"])
def test_what_the_training_kept_is_used(
    share: float, corrected: bool, tmp_path: Path, described: list[int]
) -> None:
    """Corrected labels change nothing in the images."""
    run = trained(tmp_path, RECIPE.replace(validation_share=share), corrected=corrected)
    with_kept = found(run)
    assert described == [1], "one image tells how many features there are"
    alone = without_kept(lambda: found(run))
    assert sum(described) > len(alone.features)
    np.testing.assert_allclose(with_kept.features, alone.features, atol=1e-5)
    assert with_kept.limit == pytest.approx(alone.limit, abs=1e-5)
    np.testing.assert_array_equal(with_kept.rows, alone.rows)


@pytest.mark.parametrize(
    ("recipe", "locked"),
    [
        (RECIPE.replace(flip="alternating", feature_copies=2, seed=3), 2),
        (RECIPE.replace(unlock_after=1, unlock_groups=1), 3),
        (RECIPE.replace(flip="alternating", feature_copies=2, unlock_after=1, unlock_groups=1), 3),
    ],
    ids=["mirrored copies", "two stages", "both"],
)
def test_what_was_kept_of_mirrored_copies_and_of_either_stage_is_used(
    recipe: Recipe, locked: int, tmp_path: Path, described: list[int]
) -> None:
    run = trained(tmp_path, recipe, locked=locked)
    with_kept = found(run)
    assert described == [1]
    alone = without_kept(lambda: found(run))
    np.testing.assert_allclose(with_kept.features, alone.features, atol=1e-5)
    assert with_kept.limit == pytest.approx(alone.limit, abs=1e-5)


def test_what_was_kept_in_half_precision_is_used_too(tmp_path: Path, described: list[int]) -> None:
    run = trained(tmp_path, RECIPE.replace(precision="bfloat16"))
    with_kept = found(run)
    assert described == [1]
    alone = without_kept(lambda: found(run))
    assert (with_kept.features * alone.features).sum(1).min() > 0.999
    assert with_kept.limit == pytest.approx(alone.limit, rel=0.05)


def test_what_was_kept_of_other_images_is_not_used(tmp_path: Path, described: list[int]) -> None:
    """The files may have changed since: then what is shown is of the present ones."""
    run = trained(tmp_path)
    changed = tmp_path / "images" / "train" / "bright" / "3.png"
    Image.new("RGB", (8, 8), (0, 0, 255)).save(changed)
    os.utime(changed, (1, 1))
    inspector = Inspector(lambda run: find_source(run.dataset_name).load(), "cpu")
    now = finish(inspector.references(run.folder, resolve_epoch(run)))
    assert sum(described) > len(now.features)
    alone = without_kept(lambda: finish(inspector.references(run.folder, resolve_epoch(run))))
    np.testing.assert_allclose(now.features, alone.features, atol=1e-5)


@pytest.mark.parametrize(
    ("recipe", "locked"),
    [
        (RECIPE.replace(flip="random", shift=1, feature_copies=2), 2),
        (RECIPE.replace(flip="alternating", feature_copies=1), 2),
        (RECIPE.replace(flip="alternating", shift=1, feature_copies=2), 2),
        (RECIPE, 0),
    ],
    ids=["augmented copies", "half of the mirrored copies", "shifted mirrored copies", "nothing locked"],
)
def test_without_them_the_network_sees_all_images(
    recipe: Recipe, locked: int, tmp_path: Path, described: list[int]
) -> None:
    run = trained(tmp_path, recipe, locked=locked)
    assert len(found(run).features) < sum(described)

"""Runs that start from another run: what they take, and that they never start at random weights instead."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from cnnstudio.data.dataset import Dataset
from cnnstudio.runs.comparing.seeds import Training, same_training
from cnnstudio.runs.epochs.inspection import model_at
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.runs.start_weights import find_run_and_epoch, find_start_weights, run_source
from cnnstudio.training.events import WeightsLoaded, WeightsTransferred
from cnnstudio.training.pretrained.catalog import PretrainedError
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

RECIPE = Recipe("test", epochs=2, batch_size=16, learning_rate=0.01)


@pytest.fixture(scope="module")
def images() -> Dataset:
    return colors(noise=120)


@pytest.fixture(scope="module")
def parent(images: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a completed run of two epochs."""
    folder = tmp_path_factory.mktemp("runs") / "parent"
    _start(images, RECIPE, folder=folder)
    return folder


def _start(images: Dataset, recipe: Recipe, **options: object) -> Listener:
    listener = Listener()
    start_run(tiny(), images, recipe, RunOptions(threads=1, **options), emit=listener)  # type: ignore[arg-type]
    return listener


@pytest.fixture
def child(parent: Path, images: Dataset, tmp_path: Path) -> Path:
    """The folder of a run that continued another one, and ended before its first checkpoint."""
    _start(images, RECIPE.replace(epochs=3), folder=tmp_path / "child", continue_from=parent)
    shutil.rmtree(tmp_path / "child" / "checkpoints")
    return tmp_path / "child"


def test_a_continued_run_without_a_checkpoint_is_not_resumed_at_random_weights(
    child: Path, images: Dataset
) -> None:
    before = sorted(child.rglob("*"))
    with pytest.raises(RunError, match=r"ended before its first checkpoint, so the weights .* run parent"):
        _start(images, RECIPE.replace(epochs=3), folder=child, resume=True)
    assert sorted(child.rglob("*")) == before


def test_it_starts_again_from_its_parent_where_that_is_known(
    child: Path, parent: Path, images: Dataset
) -> None:
    """As after torchrun has restarted the processes."""
    listener = _start(images, RECIPE.replace(epochs=3), folder=child, resume=True, continue_from=parent)
    assert listener.of(WeightsTransferred)[0].run == str(parent)
    # Now it has a checkpoint of its own, which counts.
    again = _start(images, RECIPE.replace(epochs=4), folder=child, resume=True, continue_from=parent)
    assert not again.of(WeightsTransferred)


def test_the_training_of_a_continued_run_is_not_repeated_without_its_beginning(
    child: Path, parent: Path
) -> None:
    with pytest.raises(RunError, match="continued the run parent from a checkpoint"):
        Training.of(Run.open(child))
    Training.of(Run.open(parent))
    assert not same_training(Run.open(child), Run.open(parent))


def test_a_continued_run_keeps_the_terms_of_the_weights(
    parent: Path, images: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(parent, tmp_path / "first")
    about = json.loads((tmp_path / "first" / "run.json").read_text())
    about["weights"] = {"source": "efficientnet-lite0", "notice": "under terms of their own"}
    (tmp_path / "first" / "run.json").write_text(json.dumps(about))
    _start(images, RECIPE.replace(epochs=3), folder=tmp_path / "next", continue_from=tmp_path / "first")
    run = Run.open(tmp_path / "next")
    assert run.weights_notice == "under terms of their own"
    assert run.start_weights is None


def test_a_new_run_starts_from_the_epoch_that_is_named(parent: Path, images: Dataset, tmp_path: Path) -> None:
    run = Run.open(parent)
    other = next(epoch for epoch in (1, 2) if epoch != run.best_epoch)
    source = run_source(parent, other)
    start = find_start_weights(source, tiny())
    kept, best = model_at(run, other).state_dict(), run.model().state_dict()
    assert all(torch.equal(start.weights[name], kept[name]) for name in start.weights)
    assert any(not torch.equal(start.weights[name], best[name]) for name in start.weights)
    listener = _start(images, RECIPE.replace(epochs=1), folder=tmp_path / "next", weights=source)
    assert listener.of(WeightsLoaded)[0].lines[0].startswith(f"Start weights from {source}: 4 layers of 4")
    assert Run.open(tmp_path / "next").start_weights == source


def test_a_run_whose_name_ends_like_an_epoch_is_found(parent: Path, tmp_path: Path) -> None:
    shutil.copytree(parent, tmp_path / "net@7")
    run, epoch = find_run_and_epoch(str(tmp_path / "net@7"))
    assert (run.id, epoch) == ("net@7", None)
    run, epoch = find_run_and_epoch(str(tmp_path / "net@7@1"))
    assert (run.id, epoch) == ("net@7", 1)


def test_an_epoch_that_was_not_kept_is_one_sentence(parent: Path) -> None:
    with pytest.raises(RunError, match="The weights of epoch 9 were not kept; there are those of epochs"):
        find_start_weights(run_source(parent, 9), tiny())
    with pytest.raises(PretrainedError, match="There is no run “nowhere”"):
        find_start_weights("nowhere@3", tiny())

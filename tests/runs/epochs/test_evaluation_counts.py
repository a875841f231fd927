"""Looks at the test set that no training has counted: by inspecting it, and by what evaluates it anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.data.versions.evaluations import evaluation_count
from cnnstudio.data.versions.version import version_of
from cnnstudio.insight.instrument import finish
from cnnstudio.runs.epochs.inspection import Inspector, ReadingRequest, SplitName
from cnnstudio.runs.run import Run
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.recipe.recipe import Recipe
from tests.runs.written import WrittenRun
from tests.training.images import colors
from tests.training.networks import tiny

DATA = colors(test=12, noise=140)
LESSON, SHARE = Recipe("lesson"), Recipe("share", validation_share=0.25)


@pytest.fixture
def inspector(monkeypatch: pytest.MonkeyPatch) -> Inspector:
    def fresh(self: Inspector, run: Run, epoch: int) -> Model:
        return build_model(tiny())

    monkeypatch.setattr(Inspector, "_model", fresh)
    return Inspector(lambda run: DATA, "cpu")


def written(folder: Path, recipe: Recipe) -> Path:
    run = WrittenRun(folder, recipe=recipe)
    run.update_metadata(classes=list(DATA.classes))
    return folder


@pytest.mark.parametrize(
    ("recipe", "instrument", "split", "looks"),
    [
        (LESSON, "robustness", "validation", 1),
        (LESSON, "robustness", "test", 1),
        (LESSON, "confusion", "validation", 0),
        (SHARE, "robustness", "validation", 0),
        (SHARE, "confusion", "validation", 0),
        (SHARE, "confusion", "test", 1),
    ],
)
def test_a_new_look_at_test_images_counts_once_for_each_epoch(
    inspector: Inspector, tmp_path: Path, recipe: Recipe, instrument: str, split: SplitName, looks: int
) -> None:
    folder = written(tmp_path / "run", recipe)
    for epoch in (1, 1, 2):
        finish(inspector.take(ReadingRequest(folder, epoch, instrument, split=split)))
    assert evaluation_count(version_of(DATA)) == 2 * looks

"""Two runs side by side: what differs is shown, and what cannot be compared is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.core.files import write_json
from cnnstudio.design.network import Network
from cnnstudio.gui.compare.confusion_difference import ConfusionDifference
from cnnstudio.gui.compare.entry_list import EntryList
from cnnstudio.gui.compare.run_comparison import RunComparison
from cnnstudio.gui.compare.run_curves import RunCurves
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.plots.legend import LegendEntry
from cnnstudio.gui.widgets.labels import ElidedLabel
from cnnstudio.insight.instruments.confusion import ConfusionReading, describe_changes
from cnnstudio.runs.comparing.pair import ComparedRun, RunPair
from cnnstudio.runs.library.label import change_label
from cnnstudio.runs.library.summary import SummaryReader
from cnnstudio.runs.run import Run
from cnnstudio.runs.snapshots import snapshot_path
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.gui.canned import started
from tests.gui.fakes import TINY
from tests.runs.library.listed import ended
from tests.runs.written import WrittenRun
from tests.training.images import colors
from tests.training.networks import tiny

Compare = Callable[..., RunComparison]


@pytest.fixture
def compare(qtbot: QtBot) -> Iterator[Compare]:
    opened: list[RunComparison] = []

    def show(*folders: Path) -> RunComparison:
        dialog = RunComparison(folders, None, Settings())
        opened.append(dialog)
        qtbot.addWidget(dialog)
        dialog.show()
        state = dialog.findChild(QLabel, "comparisonState")
        assert isinstance(state, QLabel)
        qtbot.waitUntil(lambda: state.isHidden() or not state.text().startswith("Reading"), timeout=60_000)
        return dialog

    yield show
    for dialog in opened:
        dialog.close()


def texts(dialog: QWidget) -> list[str]:
    labels = dialog.findChildren(QLabel)
    return [each.full_text if isinstance(each, ElidedLabel) else each.text() for each in labels]


def text_of(dialog: QWidget, name: str) -> str:
    found = dialog.findChild(QLabel, name)
    assert isinstance(found, QLabel)
    return found.text()


def written(folder: Path, network: Network, recipe: Recipe, test: float) -> Path:
    run = WrittenRun(folder, network, recipe)
    scores = {"loss": 1.0, "accuracy": test}
    run.update_metadata(status="completed", test=scores, best_epoch=2)
    run.append(ended(1, 2.0, test - 0.2, best=True), ended(2, 1.0, test - 0.1, best=True))
    return folder


def test_results_recipes_and_designs_are_compared(compare: Compare, tmp_path: Path) -> None:
    first = written(tmp_path / "one", tiny(), Recipe("mine", learning_rate=0.1), 0.6)
    second = written(tmp_path / "two", TINY, Recipe("mine", learning_rate=0.2), 0.7)
    change_label(second, title="Improved", tags=("good",))
    dialog = compare(first, second)
    found = texts(dialog)
    for text in (
        "60.0% (best)",
        "70.0% (best)",
        "50.0% (2)",
        "60.0% (2)",
        "Learning rate",
        "0.1",
        "0.2",
        "Improved",
    ):
        assert text in found, text
    assert "Weight decay" not in found
    assert text_of(dialog, "comparedDesigns").startswith("From the first to the second:")
    entries = dialog.findChild(EntryList)
    assert entries.count() > 0
    assert "10.0 points higher" in text_of(dialog, "comparisonVerdict")
    curves = dialog.findChild(RunCurves)
    assert "2 epochs, last validation loss 1, accuracy 60.0%" in curves.accessibleDescription()
    assert not curves.grab().isNull()
    assert curves.accuracy.legend.text == "training 50.0% / 50.0%, validation 50.0% / 60.0%"
    assert [line.opts["pen"].style() for line in curves.loss.others] == [Qt.PenStyle.DashLine] * 2
    assert dialog.minimumSizeHint().height() <= 480, "it has to fit on small screens"


@pytest.mark.parametrize("width", [700, 784, 900, 1400])
def test_in_every_width_columns_are_aligned_and_lines_have_names_and_whole_values(
    compare: Compare, qtbot: QtBot, tmp_path: Path, width: int
) -> None:
    first = written(tmp_path / "one", tiny(), Recipe("mine", learning_rate=0.1), 1.0)
    second = written(tmp_path / "two", TINY, Recipe("mine", warm_up=0.1), 1.0)
    dialog = compare(first, second)
    dialog.resize(width, 640)
    curves = dialog.findChild(RunCurves)
    assert isinstance(curves, RunCurves)

    def are_aligned() -> bool:
        legends = [[*plot.legend.entries.values()] for plot in curves.shown_plots]
        columns = {tuple(entry.mapTo(curves, QPoint()).x() for entry in each) for each in legends}
        return len(columns) == 1 and all(map(is_whole, chain(*legends)))

    def is_whole(entry: LegendEntry) -> bool:
        is_inside = curves.rect().contains(QRect(entry.mapTo(curves, QPoint()), entry.size()))
        return is_inside and bool(entry.name) and entry.width() >= entry.width_for(entry.name, entry.value)

    qtbot.waitUntil(are_aligned)
    heads = [label for label in dialog.findChildren(QLabel) if label.text() in ("first", "second")]
    assert len(heads) == 4
    qtbot.waitUntil(lambda: len({each.mapTo(dialog, QPoint(each.width(), 0)).x() for each in heads}) == 2)


def test_a_test_accuracy_has_the_number_of_looks_in_few_characters(tmp_path: Path) -> None:
    run = ComparedRun.read(written(tmp_path / "one", tiny(), Recipe("mine"), 0.6), SummaryReader())
    looked = replace(run, summary=replace(run.summary, evaluations=3))
    untested = replace(run, summary=replace(run.summary, test_accuracy=None))
    assert RunPair(looked, untested, "").results[0] == ("Test accuracy", "60.0% (best) · 3×", "–")


def test_a_run_is_compared_with_itself(compare: Compare, tmp_path: Path) -> None:
    run = written(tmp_path / "one", tiny(), Recipe("mine"), 0.6)
    dialog = compare(run, run)
    assert text_of(dialog, "comparedDesigns") == "Both have the same design."
    assert "Both have the same recipe." in texts(dialog)
    assert not dialog.findChild(EntryList).isVisible()


def test_the_confusion_of_trained_runs_is_subtracted(compare: Compare, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for seed, folder in enumerate(folders):
        recipe = Recipe("mine", epochs=1 + seed, batch_size=16, learning_rate=0.01, seed=seed)
        start_run(tiny(), colors(), recipe, RunOptions(folder=folder))
    dialog = compare(*folders)
    changes = text_of(dialog, "confusionChanges")
    assert changes.startswith(("The second run takes ", "Both runs make about the same mistakes."))
    assert not dialog.grab().isNull()


def test_where_the_best_epoch_has_no_matrix_the_next_one_is_compared_and_named(
    compare: Compare, tmp_path: Path
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for seed, folder in enumerate(folders):
        recipe = Recipe("mine", epochs=3, batch_size=16, learning_rate=0.01, seed=seed)
        start_run(tiny(), colors(), recipe, RunOptions(folder=folder))
    best = Run.open(folders[0]).best_epoch
    assert best is not None
    snapshot_path(folders[0], best).unlink()
    expected = best - 1 if best > 1 else best + 1
    dialog = compare(*folders)
    assert text_of(dialog, "confusionChanges").endswith(
        f"The first run has kept no confusion matrix of its best epoch, {best}: "
        f"that of epoch {expected} is compared."
    )
    assert dialog.findChild(ConfusionDifference).findChildren(QWidget)[0].isVisible()


def test_changes_are_named_largest_first() -> None:
    before = ConfusionReading(("cat", "dog"), np.array([[8, 2], [5, 5]], np.int64))
    after = ConfusionReading(("cat", "dog"), np.array([[9, 1], [1, 9]], np.int64))
    change = after.row_fractions - before.row_fractions
    assert describe_changes(("cat", "dog"), change) == [
        "The second run takes dog for cat less often, by 40.0 points.",
        "The second run takes cat for dog less often, by 10.0 points.",
    ]
    assert describe_changes(("cat", "dog"), change * 0) == ["Both runs make about the same mistakes."]


@pytest.mark.parametrize("classes", [1, 2, 200])
def test_few_and_many_classes_are_painted(classes: int, qtbot: QtBot) -> None:
    names = tuple(f"class <b>{number}" for number in range(classes))
    counts = np.random.default_rng(0).integers(0, 9, (2, classes, classes))
    widget = ConfusionDifference()
    qtbot.addWidget(widget)
    widget.resize(460, 260)
    widget.show_pair((ConfusionReading(names, counts[0]), ConfusionReading(names, counts[1])))
    assert not widget.grab().isNull()
    assert "<b>" in text_of(widget, "confusionChanges") or classes == 1


def test_what_hinders_the_comparison_of_matrices_is_said(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "one")
    known = ComparedRun.read(run.folder, SummaryReader())
    cats, dogs = (ConfusionReading((name,), np.array([[1]], np.int64)) for name in ("cat", "dog"))

    def said(first: ConfusionReading | None, second: ConfusionReading | None) -> object:
        sides = (replace(known, confusion=each) for each in (first, second))
        return RunPair(*sides, verdict="").confusion_pair()

    assert said(cats, cats) == (cats, cats)
    assert said(cats, None) == "The second run has saved no confusion matrix."
    assert said(None, cats) == "The first run has saved no confusion matrix."
    assert said(cats, dogs) == ("The confusion matrices cannot be compared: the runs have different classes.")


def test_runs_without_epochs_or_a_matrix_say_so(compare: Compare, tmp_path: Path) -> None:
    for name in ("one", "two"):
        WrittenRun(tmp_path / name)
    dialog = compare(tmp_path / "one", tmp_path / "two")
    assert text_of(dialog, "confusionChanges") == "Neither run has saved a confusion matrix."
    assert "no complete epoch" in dialog.findChild(RunCurves).accessibleDescription()
    assert not dialog.findChild(RunCurves).grab().isNull()


def test_a_damaged_run_is_one_sentence(compare: Compare, tmp_path: Path) -> None:
    first = written(tmp_path / "one", tiny(), Recipe("mine"), 0.6)
    second = written(tmp_path / "two", tiny(), Recipe("mine"), 0.6)
    write_json(second / "recipe.json", {"format": "other"})
    dialog = compare(first, second)
    assert str(second) in text_of(dialog, "comparisonState")


def longer_epochs(folder: Path, images: int, epochs: int) -> Path:
    """A run of so many epochs, each over that many images."""
    run = WrittenRun(folder)
    run.update_metadata(status="completed")
    begin = dataclasses.replace(started(), train_images=images)
    run.append(begin, *(ended(each, 2.0 - each / 10, 0.1 * each) for each in range(1, epochs + 1)))
    return folder


def test_runs_of_different_length_are_aligned_by_epoch_or_by_images_seen(
    compare: Compare, tmp_path: Path
) -> None:
    first, second = longer_epochs(tmp_path / "one", 100, 6), longer_epochs(tmp_path / "two", 200, 2)
    dialog = compare(first, second)
    curves, align = dialog.findChild(RunCurves), dialog.findChild(QComboBox, "compareAlign")
    (companion,) = curves.companions
    assert companion.validation("accuracy")[0].tolist() == [1, 2]
    QTest.keyClick(align, Qt.Key.Key_Down)
    (companion,) = curves.companions
    assert companion.validation("accuracy")[0].tolist() == [2, 4]
    curves.set_cursor(4)
    assert curves.accuracy.legend.text == "training 50.0% / 50.0%, validation 40.0% / 20.0%, at epoch 4.00"
    # As chosen, for the next comparison.
    assert (
        RunComparison.findChild(compare(first, second), QComboBox, "compareAlign").currentData() == "images"
    )


def test_what_runs_are_aligned_by_is_offered_only_where_it_matters(compare: Compare, tmp_path: Path) -> None:
    first = longer_epochs(tmp_path / "one", 100, 2)
    align = compare(first, first).findChild(QComboBox, "compareAlign")
    assert not align.isEnabled()
    assert "as many images" in align.toolTip()


def test_each_place_has_the_newest_epoch_of_both_until_a_run_ends(tmp_path: Path) -> None:
    reader = SummaryReader()
    folders = (longer_epochs(tmp_path / "one", 100, 5), longer_epochs(tmp_path / "two", 250, 1))
    pair = RunPair(*(ComparedRun.read(folder, reader) for folder in folders), verdict="")
    assert pair.epoch_ratio == 2.5

    def places(ratio: float) -> list[tuple[float, int, int]]:
        rows = pair.aligned_epochs(ratio)
        return [(place, *(each.epoch if each else 0 for each in epochs)) for place, *epochs in rows]

    assert places(1.0) == [(1, 1, 1), (2, 2, 0), (3, 3, 0), (4, 4, 0), (5, 5, 0)]
    assert places(2.5) == [(1, 1, 0), (2, 2, 0), (2.5, 2, 1), (3, 3, 0), (4, 4, 0), (5, 5, 0)]

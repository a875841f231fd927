"""Names and texts from files are shown as they are: as plain text, in bounded width, with nothing loaded."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import shiboken6
from PIL import Image
from PySide6.QtCore import QPoint
from PySide6.QtGui import QPixmap, QRegion
from PySide6.QtWidgets import QDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

import cnnstudio.gui
from cnnstudio.core.files import read_json, write_json
from cnnstudio.core.paths import home
from cnnstudio.core.progress import Progress as DataProgress
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.data.sources.folder_list import RegisteredSet, register_set
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.versions.review import ReviewItem
from cnnstudio.design.file import read_design, write_design
from cnnstudio.export import ExportResult
from cnnstudio.gui.compare.dialog import CompareDialog
from cnnstudio.gui.compare.run_comparison import RunComparison
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.data.dialog import DataDialog
from cnnstudio.gui.data.versions.comparing import KnownVersions
from cnnstudio.gui.data.versions.dialog import VersionsDialog
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.layer_list.quick_insert import QuickInsert
from cnnstudio.gui.designer.quick_fix.preview_access import preview_card
from cnnstudio.gui.document.autosave import _find_unsaved
from cnnstudio.gui.document.project import Question
from cnnstudio.gui.document.unsaved_dialog import UnsavedDialog
from cnnstudio.gui.experiments.before_after import BeforeAfterDialog
from cnnstudio.gui.experiments.label_errors import LabelErrorDialog, Suspects
from cnnstudio.gui.experiments.learning_curve import LearningCurveDialog
from cnnstudio.gui.experiments.predict_folder import PredictFolderDialog, describe_result
from cnnstudio.gui.experiments.run_dialog import RunDialog
from cnnstudio.gui.export.outcomes import FormatOutcome
from cnnstudio.gui.export.panel import ExportPanel
from cnnstudio.gui.interchange.base_dialog import NetworkImportDialog
from cnnstudio.gui.interchange.dialog import ImportDialog
from cnnstudio.gui.interchange.onnx_dialog import OnnxDialog
from cnnstudio.gui.runs.table.label_box import LabelBox
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.help.shortcuts_dialog import ShortcutsDialog
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.templates.dialog import TemplateDialog
from cnnstudio.gui.training.preflight.base_dialog import ComputeDialog
from cnnstudio.gui.training.preflight.lr_range_dialog import LrRangeDialog
from cnnstudio.gui.training.preflight.preflight_dialog import PreflightDialog
from cnnstudio.gui.training.start_from.dialog import StartDialog
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.gui.widgets.message_box import Answer, MessageBox
from cnnstudio.gui.widgets.number_box import NumberBox
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.runs.library.finding import runs_folder
from cnnstudio.runs.library.label import RunLabel
from cnnstudio.runs.library.summary import SummaryReader
from cnnstudio.runs.predicting import Prediction, SkippedFiles
from cnnstudio.runs.retraining.before_after import BeforeAfter, SplitScores
from cnnstudio.runs.snapshots import snapshot_path, write_snapshot
from cnnstudio.training.events import (
    Diagnosed,
    Event,
    Finished,
    RecipeChanged,
    Scores,
    SnapshotTaken,
    Started,
    Warned,
)
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.files import read_recipe, recipes_folder, user_recipes
from tests.gui.canned import feature_maps, run_events
from tests.gui.shown_texts import FILE_NAME, LONG, LONG_FILE_NAME, MARKUP, Painted, faults
from tests.interchange.onnx.graphs import Graph
from tests.runs.written import WrittenRun


@dataclass
class Stranger:
    """Names and texts that could come from a stranger's files, and files and folders with these names."""

    text: str
    file_name: str
    root: Path

    def __post_init__(self) -> None:
        self.design = self.root / f"{self.file_name}.cnn.json"
        self.damaged = self.root / f"{self.file_name}2.cnn.json"
        self.images = self.root / self.file_name
        self.run = runs_folder() / self.file_name
        self.classes = (self.text, f"{self.text}2")

    def write(self) -> None:
        self._write_designs()
        self._write_images()
        self._write_recipes()
        self._write_run()

    def _write_designs(self) -> None:
        layers = [
            {"type": "Conv2D", "filters": 4, "activation": "relu", "name": self.text},
            {"type": "Repeat", "times": 2, "name": self.text, "layers": [{"type": "Conv2D", "filters": 4}]},
            {"type": "MaxPooling2D", "pool_size": [64, 64], "name": self.text},
            {"type": "Flatten"},
            {"type": "Dense", "units": 3, "activation": "relu", "name": self.text},
            {"type": "Dense", "units": 7, "name": self.text},
        ]
        content = {"format": "cnnstudio.design", "version": 1, "name": self.text, "input": [3, 8, 8]}
        write_json(self.design, content | {"layers": layers})
        write_json(self.damaged, content | {"layers": [{"type": self.text}]})

    def _write_images(self) -> None:
        for number in range(2):
            folder = self.images / f"{self.file_name}{number}"
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8), (100 * number, 0, 0)).save(folder / f"{self.file_name}.png")
        register_set(self.text, RegisteredSet(self.images))
        register_set(f"{self.text}2", RegisteredSet(self.root / f"{self.file_name} gone"))

    def _write_recipes(self) -> None:
        recipes_folder().mkdir(parents=True, exist_ok=True)
        write_json(recipes_folder() / f"{self.file_name}.json", LESSON.replace(epochs=9).to_json())
        self.recipe = self.root / "stranger.recipe.json"
        write_json(self.recipe, LESSON.replace(epochs=7).to_json() | {"name": self.text})

    def _write_run(self) -> None:
        run = WrittenRun(self.run, read_design(self.design))
        run.update_metadata(name=self.text, host=self.text, reason=self.text, classes=list(self.classes))
        run.append(*self.run_events, *self.events)
        maps = [feature_maps(read_design(self.design).nodes[0].id, image) for image in range(2)]
        examples = Split(np.zeros((2, 3, 8, 8), np.uint8), np.array([0, 1]))
        write_snapshot(snapshot_path(self.run, 2), [*maps, *self.scores], examples)

    @property
    def run_events(self) -> list[Event]:
        started, *others = run_events(epochs=2)
        assert isinstance(started, Started)
        return [replace(started, network_name=self.text, classes=self.classes), *others]

    @property
    def scores(self) -> list[FeatureMaps]:
        """The class scores for two images."""
        last = read_design(self.design).nodes[-1].id
        values, flat = np.array([1.0, 2.0], np.float32), np.zeros((2, 1, 1), np.uint8)
        return [FeatureMaps(last, image, flat, 0.0, 2.0, (), 2, values) for image in range(2)]

    @property
    def events(self) -> tuple[Warned | Diagnosed | RecipeChanged, ...]:
        return (
            Warned(self.text),
            Diagnosed("plateau", 1.0, self.text, self.text),
            RecipeChanged(5, 1.0, "learning_rate", self.text, self.text),
        )

    @property
    def dataset(self) -> Dataset:
        split = Split(np.zeros((4, 3, 8, 8), np.uint8), np.arange(4) % 2)
        return Dataset(self.text, self.text, self.classes, split, split, notes=(self.text,))


@pytest.fixture(params=["markup", "long"])
def stranger(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Stranger:
    texts = {"markup": (MARKUP, FILE_NAME), "long": (LONG, LONG_FILE_NAME)}[request.param]
    found = Stranger(*texts, tmp_path)
    found.write()
    return found


@pytest.fixture
def window(qtbot: QtBot, stranger: Stranger) -> Iterator[MainWindow]:
    window = create_window(stranger.design)
    window.session.preload = lambda: None  # type: ignore[method-assign]  # nothing computes here
    window.show()
    qtbot.waitExposed(window)
    yield window
    window.session._set_state(State.IDLE)
    window.project.mark_saved(Path("elsewhere.cnn.json"))
    window.close()
    shiboken6.delete(window)


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> Painted:
    return Painted(monkeypatch)


def check(widget: QWidget, painted: Painted) -> None:
    assert faults(widget) == []
    for each in (widget, *widget.findChildren(QWidget)):
        if each.isVisible():
            # Each without what is in it: with it, everything would be painted once for each level.
            image = QPixmap(max(each.width(), 1), max(each.height(), 1))
            QWidget.render(each, image, QPoint(), QRegion(), QWidget.RenderFlag.DrawWindowBackground)
    assert painted.faults == []


def test_the_window_shows_the_names_in_a_design(
    window: MainWindow, painted: Painted, stranger: Stranger, qtbot: QtBot
) -> None:
    for number in range(5):
        window.pages.turn_to(number)
        check(window, painted)
    window.pages.turn_to(window.pages.DESIGN)
    window.pages.design.toggle_drawing()
    for number in range(3):
        window.pages.design.show_panel(number)
        check(window, painted)
    for node in window.project.network.walk():
        window.project.select([node.id])
        check(window, painted)
    window.layers.advice.open_panel()
    check(window, painted)
    window.project.select([window.project.network.nodes[0].id])
    commands.duplicate(window.project)
    check(window, painted)
    window.project.undo_stack.undo()
    check(window, painted)


def test_the_window_shows_problems_of_layers(
    window: MainWindow, painted: Painted, stranger: Stranger, qtbot: QtBot
) -> None:
    for problem in window.project.analysis.problems:
        assert problem.node_id is not None
        window.project.select([problem.node_id])
        card = preview_card(window.project, window.layers.tree)
        card.peek(problem, problem.fixes[0] if problem.fixes else None, window.layers.tree, window.rect())
        check(window, painted)
    for kind in ("conv 4", f"{stranger.text[:30]}"):
        insert = QuickInsert(window.project, window.layers.tree)
        insert.open(window, kind)
        check(window, painted)
        insert.dismiss()


def test_messages_and_questions_show_texts_from_files(
    window: MainWindow, painted: Painted, stranger: Stranger
) -> None:
    text, bar = stranger.text, window.message_bar
    window.documents.open_path(stranger.damaged)
    assert not bar.isHidden()
    check(window, painted)
    window.open_run(stranger.root / f"{stranger.file_name} gone")
    check(window, painted)
    window.project.message.emit(text)
    check(window, painted)
    window.project.question.emit(Question(text, text, lambda: None))
    check(window, painted)
    bar.show_message(Message(text, is_error=True, button=text, action=lambda: None))
    check(window, painted)
    window.session.failed.emit(text)
    check(window, painted)
    assert window.width() < 1_500


def test_the_menus_show_names_of_files(window: MainWindow, painted: Painted, stranger: Stranger) -> None:
    for path in (stranger.design, stranger.damaged):
        window.settings.add_recent_file(path)
    window._recent.show(window.settings.recent_files)
    window.session.devices = {"cpu": "CPU", "cuda:0": stranger.text}
    window.session.devices_changed.emit()
    for menu in window.menuBar().findChildren(QMenu):
        menu.popup(window.pos())
        check(menu, painted)
        menu.hide()


def test_the_tool_bar_shows_names_of_data_sets_and_recipes(
    window: MainWindow, painted: Painted, stranger: Stranger, qtbot: QtBot
) -> None:
    window.tool_bar.refresh_sources()
    for name in (stranger.text, f"{stranger.text}2", str(stranger.images)):
        window.project.set_dataset(name, None)
        check(window, painted)
    qtbot.waitUntil(lambda: window.project.classes is not None)
    check(window, painted)
    window.project.set_recipe(read_recipe(stranger.recipe))
    check(window, painted)
    window.tool_bar.recipe.showPopup()
    check(window, painted)
    window.tool_bar.recipe.hidePopup()
    window.project.set_recipe(user_recipes()[stranger.file_name])
    window.tool_bar.popup.open_below(window.tool_bar.recipe)
    window.tool_bar.popup._show_error(stranger.text)
    check(window.tool_bar.popup, painted)
    check(window, painted)
    window.tool_bar.popup.hide()


def test_a_training_shows_names_and_messages(
    window: MainWindow, painted: Painted, stranger: Stranger, qtbot: QtBot
) -> None:
    session = window.session
    session.network = window.project.network
    session._set_state(State.LOADING)
    session.loading.emit(DataProgress(1, 3, stranger.text))
    check(window, painted)
    session.dataset_loaded.emit((stranger.text, stranger.dataset))
    session.events.emit(tuple(stranger.run_events))
    session._set_state(State.RUNNING)
    window.project.select([window.project.network.nodes[-1].id])
    show_feature_maps(window)
    session.events.emit((SnapshotTaken(21, 2.1, "feature_maps", stranger.scores[0]),))
    qtbot.waitUntil(lambda: bool(window.pages.train.maps.grid._classes))
    check(window, painted)
    for event in stranger.events:
        session.events.emit((event,))
        check(window, painted)
    session.events.emit((Finished("failed", stranger.text, None, 1.0, None, None),))
    session._set_state(State.IDLE)
    check(window, painted)


def test_a_run_folder_shows_names_and_messages(
    window: MainWindow, painted: Painted, stranger: Stranger, qtbot: QtBot
) -> None:
    window.open_run(stranger.run)
    shown = window.shown_run
    qtbot.waitUntil(lambda: shown.record.folder == stranger.run)
    qtbot.waitUntil(lambda: len(shown.record.history.epochs) == 2)
    check(window, painted)
    show_feature_maps(window)
    for node in (window.project.network.nodes[0], window.project.network.nodes[-1]):
        window.project.select([node.id])
        qtbot.waitUntil(lambda id=node.id: shown_maps(window) == id)
        check(window, painted)
    assert window.pages.train.maps.grid._classes
    window.timeline.slider.choose(2)
    check(window, painted)
    run = WrittenRun.__new__(WrittenRun)
    run.folder, run.metadata = stranger.run, read_json(stranger.run / "run.json")
    run.update_metadata(status="failed")
    window.runs._show_error(stranger.text)
    check(window, painted)
    shown.close()


def show_feature_maps(window: MainWindow) -> None:
    window.pages.turn_to(window.pages.TRAIN)


def shown_maps(window: MainWindow) -> str | None:
    maps = window.pages.train.maps.grid._maps
    return maps.node_id if maps is not None else None


# Dialogs: each class has an entry, or the last test of this file fails.


def show_import(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    dialog = ImportDialog(window.project, window)
    dialog.open()
    name = repr(stranger.text[:300])
    code = (
        "from tensorflow import keras\nfrom keras import layers\n"
        f"model = keras.Sequential([layers.Conv2D(4, 3, name={name}), layers.Flatten(), layers.Dense(1e99, "
        f"name={name}), layers.Dense({name}), mystery({name}), layers.Dense(10, activation={name})])\n"
        f"model.compile(optimizer={name}, loss={name})\nmodel.fit(x, epochs={name}, batch_size=3)\n"
    )
    path = stranger.root / f"{stranger.file_name}.py"
    path.write_text(code)
    dialog.open_file(path)
    yield dialog
    dialog._code.setPlainText(code.replace("mystery", "layers.Dense"))
    yield dialog
    dialog._result.show_text(stranger.text, is_error=True)
    yield dialog
    dialog.open_file(stranger.root / f"{stranger.file_name} gone.py")
    yield dialog


def show_onnx(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    graph = Graph(("N", 3, 4, 4))
    graph.add("Mystery", graph.conv("image", 3, 2), name=stranger.text)
    path = stranger.root / f"{stranger.file_name}.onnx"
    path.write_bytes(graph.model(stranger.text, f"{stranger.text} 2").SerializeToString())
    dialog = OnnxDialog(window.project, window.tool_bar.start, window.session, window)
    dialog.open()
    dialog.open_file(path)
    yield dialog
    dialog.open_file(stranger.root / f"{stranger.file_name} gone.onnx")
    yield dialog


def show_compare(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    window.settings.add_recent_file(stranger.design)
    window.settings.add_recent_file(stranger.damaged)
    window.dialogs.show_compare()
    dialog = window.findChild(CompareDialog)
    assert dialog is not None
    for index in range(min(dialog._choice.count(), 4)):
        dialog._choice.setCurrentIndex(index)
        dialog._on_chosen(index)
        yield dialog


def show_label_errors(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    dialog = LabelErrorDialog(stranger.root / "no run", window.session, window)
    dialog.job.cancel()
    text = stranger.text
    item = ReviewItem(stranger.file_name, text, text, 0.99, f"Labeled {text}, looks like {text}.")
    dialog.show_result(Suspects(text, 2, [item]))
    dialog.show()
    yield dialog
    dialog.show_result(Suspects(text, 2, [item], f"Not {text}."))
    yield dialog


def show_learning_curve(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    dialog = LearningCurveDialog(stranger.run, window.session, window)
    dialog._reading.wait(20)
    dialog._on_failed(f"Not {stranger.text}.")
    dialog.show()
    yield dialog


def show_predicted_folder(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    title = f"{stranger.text} · 14:02"
    dialog = PredictFolderDialog(stranger.run, title, stranger.images, window.session, window)
    dialog.show()
    yield dialog
    found = [Prediction(stranger.file_name, {stranger.text: 0.9, f"{stranger.text}2": 0.1})]
    skipped = SkippedFiles({str(stranger.images / stranger.file_name): "no image"})
    dialog.show_result(describe_result(stranger.root / f"{stranger.file_name}.csv", found, skipped))
    yield dialog


def show_start(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    dialog = StartDialog(window.project, window.session, window, stranger.run)
    dialog._listing.wait(20)
    dialog.open()
    yield dialog
    dialog._show_error(stranger.text)
    yield dialog


def show_before_after(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    scores = SplitScores("test", 100, Scores(1.0, 0.5), Scores(1.0, 0.6))
    found = BeforeAfter("1 label corrected", (scores,), 0.4, 2, (str(stranger.run), str(stranger.run)))
    dialog = BeforeAfterDialog(found, window)
    dialog.show()
    yield dialog


def show_export(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    panel = ExportPanel(window.session)
    panel.setParent(window)
    panel.resize(560, 588)
    panel.show_run(stranger.run)
    panel.show()
    yield panel
    (stranger.root / "model.onnx").touch()
    panel._folder.setText(str(stranger.root / stranger.file_name))
    card = panel._cards["onnx"]
    card.show_progress(DataProgress(1, 3, stranger.text))
    yield panel
    path = Path(stranger.file_name)
    for difference in (0.0, None):
        written = ExportResult((path,), difference, f"ONNX: {stranger.text}", 16)
        card.show_outcome(FormatOutcome(written, code="code"))
        yield panel
    panel._on_done("onnx", panel._key("onnx"), FormatOutcome(error=stranger.text, notes=(stranger.text,)))
    yield panel


def show_data(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    dialog = DataDialog(window)
    dialog.open()
    yield dialog
    for row in dialog.data_sets._rows.values():
        row.show_info({"problem": stranger.text})
        row.begin(stranger.text)
        row.show_progress(DataProgress(0, None, stranger.text))
    dialog.data_sets._show_message(stranger.text)
    yield dialog
    dialog.adding.progress.begin(f"Scanning {stranger.file_name}")
    dialog._stack.setCurrentWidget(dialog.adding)
    yield dialog


def show_versions(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    source = ImageFolder(stranger.images, stranger.text)
    dialog = VersionsDialog(source, lambda _: np.zeros((3, 8, 8), np.uint8), window)
    dialog.open()
    for task in dialog.findChildren(IoTask):
        task.wait(20)
    assert "only one" in dialog.summary.text()
    yield dialog
    version = {"id": "0" * 16, "name": stranger.text, "created": stranger.text, "classes": stranger.classes}
    version |= {"splits": {stranger.text: [1, 2]}, "images": "", "files": "", "split": None}
    corrections = {f"{stranger.file_name}.png": stranger.text}
    versions = [{**version, "corrections": {}}, {**version, "id": "1" * 16, "corrections": corrections}]
    dialog._on_versions(KnownVersions(versions, problem=stranger.text))
    yield dialog
    for task in dialog.findChildren(IoTask):
        task.wait(20)
    assert dialog.changes.count()
    yield dialog


def show_templates(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    dialog = TemplateDialog(window, recipe=stranger.text)
    dialog.open()
    yield dialog


def show_shortcuts(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    window.dialogs.show_shortcuts()
    dialog = window.findChild(ShortcutsDialog)
    assert dialog is not None
    yield dialog


def show_unsaved(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    write_design(home() / "unsaved-7.cnn.json", read_design(stranger.design))
    window.documents.autosave.found = _find_unsaved()
    window.dialogs.show_unsaved()
    dialog = window.findChild(UnsavedDialog)
    assert dialog is not None
    yield dialog


def show_message_box(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    answers = (Answer("no", "&Cancel", escape=True), Answer("yes", "&Save", default=True))
    box = MessageBox(window, stranger.text, stranger.text, stranger.text, answers=answers)
    box.show()
    yield box
    box.close()


def show_number_box(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    box = NumberBox(
        window, stranger.text, stranger.text, label="Seeds", value=3, minimum=2, maximum=9, button="&Train"
    )
    box.show()
    box._show_error(stranger.text)
    yield box
    box.close()


def show_label_box(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    label = RunLabel(stranger.text, (stranger.text, "baseline"), stranger.text)
    box = LabelBox(window, replace(SummaryReader().read(stranger.run), label=label))
    box.show()
    yield box
    box.close()


def show_run_comparison(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    window.dialogs.compare_runs((stranger.run, stranger.run))
    dialog = window.findChild(RunComparison)
    assert dialog is not None
    yield dialog
    dialog._on_failed(stranger.text)
    yield dialog


def show_lr_range(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    yield from show_computing(LrRangeDialog(window.project, window.session, window), stranger)


def show_preflight(window: MainWindow, stranger: Stranger) -> Iterator[QWidget]:
    yield from show_computing(PreflightDialog(window.project, window.session, window), stranger)


def show_computing(dialog: ComputeDialog, stranger: Stranger) -> Iterator[QWidget]:
    dialog.open()
    yield dialog
    dialog._progress.begin(stranger.text)
    dialog._on_failed(stranger.text)
    yield dialog


DIALOGS: dict[type[QDialog], Callable[[MainWindow, Stranger], Iterator[QWidget]]] = {
    BeforeAfterDialog: show_before_after,
    CompareDialog: show_compare,
    DataDialog: show_data,
    ImportDialog: show_import,
    LabelBox: show_label_box,
    LabelErrorDialog: show_label_errors,
    LearningCurveDialog: show_learning_curve,
    LrRangeDialog: show_lr_range,
    MessageBox: show_message_box,
    NumberBox: show_number_box,
    OnnxDialog: show_onnx,
    PredictFolderDialog: show_predicted_folder,
    PreflightDialog: show_preflight,
    RunComparison: show_run_comparison,
    ShortcutsDialog: show_shortcuts,
    StartDialog: show_start,
    TemplateDialog: show_templates,
    UnsavedDialog: show_unsaved,
    VersionsDialog: show_versions,
}


@pytest.mark.parametrize("kind", DIALOGS, ids=lambda kind: kind.__name__)
def test_dialogs_show_names_and_messages(
    kind: type[QDialog], window: MainWindow, painted: Painted, stranger: Stranger, qtbot: QtBot
) -> None:
    for dialog in DIALOGS[kind](window, stranger):
        assert isinstance(dialog, kind)
        for task in dialog.findChildren(IoTask):
            task.wait(20)
        qtbot.wait(50)
        check(dialog, painted)
    for dialog in window.findChildren(kind):
        dialog.close()


def test_the_export_panel_shows_names_and_messages(
    window: MainWindow, painted: Painted, stranger: Stranger
) -> None:
    for panel in show_export(window, stranger):
        check(panel, painted)


def test_every_dialog_is_tried() -> None:
    found = {
        value
        for module in gui_modules()
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, QDialog) and value.__module__ == module.__name__
    }
    assert found - {ComputeDialog, NetworkImportDialog, RunDialog} == DIALOGS.keys()


def gui_modules() -> list[ModuleType]:
    prefix = f"{cnnstudio.gui.__name__}."
    names = [info.name for info in pkgutil.walk_packages(cnnstudio.gui.__path__, prefix)]
    return [importlib.import_module(name) for name in names]


def test_labels_are_plain_text_everywhere() -> None:
    """A label of Qt takes a text that looks like markup for markup."""
    for path in Path(cnnstudio.gui.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "QLabel":
                assert not node.args, f"{path.name}:{node.lineno}: use widgets.labels.Label"

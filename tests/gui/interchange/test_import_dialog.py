"""Importing code: the result is shown while the code is typed, and imported as one undo step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QTreeWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from cnnstudio.data.sources.published.cifar10 import Cifar10
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.gui.designer.actions import design_actions
from cnnstudio.gui.designer.paste_code import looks_like_code, recipe_from_code
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.interchange.dialog import ImportDialog
from cnnstudio.interchange.effort import MAXIMUM_CHARACTERS
from cnnstudio.interchange.reading import read_code

LEFT = Qt.MouseButton.LeftButton

LESSON = """\
model = Sequential()
model.add(Conv2D(32, (3, 3), activation='relu', input_shape=(32, 32, 3)))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Conv2D(64, (3, 3), activation='relu'))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dense(128, activation='relu'))
model.add(Dense(10, activation='softmax'))
model.compile(optimizer='adam', loss='categorical_crossentropy', metrics=['accuracy'])
model.fit(x_train, y_train, epochs=7, batch_size=64, validation_data=(x_test, y_test))
"""
PYTORCH = """\
net = nn.Sequential(
    nn.Conv2d(3, 32, kernel_size=3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(7200, 10)
)
"""
STRANGE = LESSON.replace("model.add(Dense(128", "model.add(Mystery(3))\nmodel.add(Dense(128")


@pytest.fixture
def project() -> Project:
    project = Project(templates()["lenet-5"].network)
    project.set_dataset("shapes", 10)
    project.undo_stack.clear()
    return project


@pytest.fixture
def dialog(project: Project, qtbot: QtBot) -> Iterator[ImportDialog]:
    dialog = ImportDialog(project)
    qtbot.addWidget(dialog)
    with qtbot.waitActive(dialog):
        dialog.show()
    yield dialog
    dialog.close()


def code(dialog: ImportDialog) -> QPlainTextEdit:
    return dialog.findChild(QPlainTextEdit, "importCode")


def sentence(dialog: ImportDialog) -> str:
    return dialog.findChild(QLabel, "importSummary").text()


def ready(dialog: ImportDialog) -> bool:
    return dialog.findChild(QPushButton, "importButton").isEnabled()


def paste(text: str) -> None:
    QGuiApplication.clipboard().setText(text)


def read(dialog: ImportDialog, text: str, qtbot: QtBot) -> None:
    """Pastes code into the dialog and waits until it is parsed."""
    field = code(dialog)
    field.setFocus()
    field.selectAll()
    paste(text)
    qtbot.keyClick(field, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: ready(dialog), timeout=60_000)


def names(network: Network) -> list[str]:
    return [node.layer.type_name() for node in network.walk()]


def press(dialog: ImportDialog, kind: type[QWidget], name: str, qtbot: QtBot) -> None:
    qtbot.mouseClick(dialog.findChild(kind, name), LEFT)


# The result


def test_the_code_field_waits_for_code(dialog: ImportDialog) -> None:
    assert code(dialog).hasFocus()
    assert not ready(dialog)


def test_the_result_is_shown_before_the_import(dialog: ImportDialog, project: Project, qtbot: QtBot) -> None:
    before = project.network
    read(dialog, LESSON, qtbot)
    assert sentence(dialog) == "Keras: 6 layers, input 3 × 32 × 32, at least 20,682 parameters"
    rows = dialog.findChild(QTreeWidget, "importLayers")
    assert [rows.topLevelItem(row).text(0).split()[0] for row in range(rows.topLevelItemCount())] == [
        *("Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Dense", "Dense")
    ]
    assert rows.topLevelItem(0).text(1) == "32 × 30 × 30"
    problems = dialog.findChild(QLabel, "importProblems").text()
    assert (
        problems
        == "Dense takes a flat vector, but gets 64 × 6 × 6 from MaxPooling2D: insert Flatten before it."
    )
    assert project.network is before


def test_skipped_code_is_listed_and_leads_to_its_line(dialog: ImportDialog, qtbot: QtBot) -> None:
    read(dialog, STRANGE, qtbot)
    notes = dialog.findChild(QListWidget, "importNotes")
    assert notes.isVisible()
    first = notes.item(0)
    assert first.text().startswith("Line 6: ")
    notes.itemActivated.emit(first)
    assert code(dialog).textCursor().blockNumber() == 5
    assert [each.cursor.blockNumber() for each in code(dialog).extraSelections()] == [5]


def test_invalid_code_is_reported_and_cannot_be_imported(dialog: ImportDialog, qtbot: QtBot) -> None:
    read(dialog, LESSON, qtbot)
    for text, word in (("print(1)", "neither Keras nor PyTorch"), ("model = (", "this is not Python")):
        code(dialog).setPlainText(text)
        assert not ready(dialog)
        qtbot.waitUntil(lambda word=word: word in sentence(dialog), timeout=60_000)
        assert not ready(dialog)
        assert not dialog.findChild(QTreeWidget, "importLayers").isVisible()


def test_a_very_long_text_is_rejected_and_the_previous_one_stays(dialog: ImportDialog, qtbot: QtBot) -> None:
    read(dialog, LESSON, qtbot)
    paste("x" * (MAXIMUM_CHARACTERS + 1))
    qtbot.keyClick(code(dialog), Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert f"{MAXIMUM_CHARACTERS + 1:,} characters" in sentence(dialog)
    assert code(dialog).toPlainText() == LESSON


def test_code_is_parsed_and_never_executed(dialog: ImportDialog, tmp_path: Path, qtbot: QtBot) -> None:
    trace = tmp_path / "trace"
    read(dialog, f"open({str(trace)!r}, 'w').write('run')\n{LESSON}", qtbot)
    assert not trace.exists()


def test_pytorch_code_is_parsed_too(dialog: ImportDialog, qtbot: QtBot) -> None:
    read(dialog, PYTORCH, qtbot)
    assert sentence(dialog).startswith("PyTorch: 4 layers, input 3 × 32 × 32")
    assert not dialog.findChild(QLabel, "importProblems").isVisible()
    # PyTorch code does not contain the input size.
    assert "does not specify the input shape" in dialog.findChild(QListWidget, "importNotes").item(0).text()


# Importing


def test_design_and_recipe_are_replaced_in_one_undo_step(
    dialog: ImportDialog, project: Project, qtbot: QtBot
) -> None:
    before, recipe = project.network, project.recipe
    read(dialog, LESSON, qtbot)
    press(dialog, QPushButton, "importButton", qtbot)
    assert not dialog.isVisible()
    assert names(project.network)[-2:] == ["Dense", "Dense"]
    assert (project.recipe.epochs, project.recipe.batch_size, project.recipe.optimizer) == (7, 64, "adam")
    assert project.analysis.problems[0].fixes[0].label == "Insert Flatten"
    assert project.undo_stack.count() == 1
    assert project.undo_stack.undoText() == "import code"
    project.undo_stack.undo()
    assert (project.network, project.recipe) == (before, recipe)


def test_a_missing_flatten_is_fixed_in_the_dialog(
    dialog: ImportDialog, project: Project, qtbot: QtBot
) -> None:
    read(dialog, LESSON, qtbot)
    assert dialog.findChild(QPushButton, "importFix1").text() == "Insert Flatten"
    press(dialog, QPushButton, "importFix1", qtbot)
    assert sentence(dialog) == "Keras: 7 layers, input 3 × 32 × 32, 315,722 parameters"
    assert not dialog.findChild(QLabel, "importProblems").isVisible()
    assert not dialog.findChild(QWidget, "importFixes").isVisible()
    # The button that was pressed is gone: the next key press imports.
    assert dialog.findChild(QPushButton, "importButton").hasFocus()
    press(dialog, QPushButton, "importButton", qtbot)
    assert names(project.network)[-3:] == ["Flatten", "Dense", "Dense"]
    assert project.analysis.problems == ()
    assert project.undo_stack.count() == 1


def test_the_number_of_classes_is_fixed_in_the_dialog(
    dialog: ImportDialog, project: Project, qtbot: QtBot
) -> None:
    read(dialog, "model = Sequential([Flatten(input_shape=(4, 4, 3)), Dense(3)])", qtbot)
    press(dialog, QPushButton, "importFix1", qtbot)
    assert sentence(dialog).endswith("490 parameters")


def test_another_of_several_networks_is_chosen(dialog: ImportDialog, project: Project, qtbot: QtBot) -> None:
    read(
        dialog,
        "large = Sequential([Flatten(input_shape=(4, 4, 3)), Dense(20), Dense(10)])\n"
        "small = Sequential([Flatten(input_shape=(4, 4, 3)), Dense(10)])",
        qtbot,
    )
    choice = dialog.findChild(QComboBox, "importNetwork")
    assert choice.isVisible()
    assert [choice.itemText(index) for index in range(choice.count())] == ["large", "small"]
    assert choice.currentText() == "large"
    choice.setFocus()
    qtbot.keyClick(choice, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: "2 layers" in sentence(dialog) and ready(dialog), timeout=60_000)
    assert choice.currentText() == "small"
    press(dialog, QPushButton, "importButton", qtbot)
    assert names(project.network) == ["Flatten", "Dense"]


def test_a_single_network_is_no_choice(dialog: ImportDialog, qtbot: QtBot) -> None:
    read(dialog, LESSON, qtbot)
    assert not dialog.findChild(QComboBox, "importNetwork").isVisible()


def test_only_settings_of_the_code_are_called_settings_of_the_code(
    dialog: ImportDialog, qtbot: QtBot
) -> None:
    read(dialog, LESSON.partition("model.compile")[0] + "model.fit(x, y, epochs=1)", qtbot)
    box = dialog.findChild(QCheckBox, "importRecipe")
    assert box.text() == "Use the training settings in the code: 1 epoch"


def test_the_data_set_in_the_code_is_offered(
    dialog: ImportDialog, project: Project, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(Cifar10, "available", lambda _: True)
    read(dialog, f"from keras.datasets import cifar10\ndata = cifar10.load_data()\n{LESSON}", qtbot)
    box = dialog.findChild(QCheckBox, "importData")
    assert box.isVisible()
    assert box.text() == "Use the data set in the code: CIFAR-10 (line 2)"
    assert box.isChecked()
    press(dialog, QPushButton, "importButton", qtbot)
    assert project.dataset_name == "cifar10"
    assert project.undo_stack.count() == 1
    project.undo_stack.undo()
    assert project.dataset_name == "shapes"


@pytest.mark.parametrize(
    ("loads", "text"),
    [
        ("keras.datasets.imdb.load_data()", "imdb (line 2), which is not one of your data sets"),
        ("keras.datasets.cifar10.load_data()", "CIFAR-10 (line 2), which has not been downloaded yet"),
        (
            "keras.utils.image_dataset_from_directory('x')",
            "a folder of images (line 2): add it under Data sets",
        ),
    ],
)
def test_a_data_set_that_is_not_there_is_named(
    loads: str, text: str, dialog: ImportDialog, project: Project, qtbot: QtBot
) -> None:
    read(dialog, f"import keras\ndata = {loads}\n{LESSON}", qtbot)
    assert dialog.findChild(QLabel, "importDataNote").text() == f"The code trains on {text}."
    assert not dialog.findChild(QCheckBox, "importData").isVisible()
    press(dialog, QPushButton, "importButton", qtbot)
    assert project.dataset_name == "shapes"


def test_the_recipe_can_be_kept(dialog: ImportDialog, project: Project, qtbot: QtBot) -> None:
    recipe = project.recipe
    read(dialog, LESSON, qtbot)
    box = dialog.findChild(QCheckBox, "importRecipe")
    assert box.text() == (
        "Use the training settings in the code: adam, learning rate 0.001, 7 epochs, batch size 64"
    )
    box.setChecked(False)
    press(dialog, QPushButton, "importButton", qtbot)
    assert project.recipe == recipe
    assert len(project.network) == 6


def test_the_layers_can_be_inserted_instead(dialog: ImportDialog, project: Project, qtbot: QtBot) -> None:
    before, recipe = project.network, project.recipe
    project.select([before.nodes[0].id])
    read(dialog, LESSON, qtbot)
    dialog.findChild(QRadioButton, "importInserts").setChecked(True)
    assert not dialog.findChild(QCheckBox, "importRecipe").isEnabled()
    press(dialog, QPushButton, "importButton", qtbot)
    assert len(project.network) == len(before) + 6
    assert project.network.nodes[0] is before.nodes[0]
    assert names(project.network)[1:3] == ["Conv2D", "MaxPooling2D"]
    assert project.recipe == recipe
    assert project.undo_stack.count() == 1


def test_closing_imports_nothing(dialog: ImportDialog, project: Project, qtbot: QtBot) -> None:
    before = project.network
    read(dialog, LESSON, qtbot)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert project.network is before


# Files


def test_a_file_is_opened_and_an_invalid_one_is_reported(
    dialog: ImportDialog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    good, image, gone = tmp_path / "lesson.py", tmp_path / "image.py", tmp_path / "gone.py"
    good.write_text(LESSON)
    image.write_bytes(b"\x89PNG\xff\xfe")
    for path, expected in (
        (good, "Keras: 6 layers"),
        (image, "image.py: this is not UTF-8 text"),
        (gone, "gone.py: the file cannot be read (No such file or directory)"),
        (tmp_path, "it is a folder, not a file"),
    ):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, path=path: (str(path), ""))
        press(dialog, QPushButton, "openCode", qtbot)
        qtbot.waitUntil(lambda expected=expected: expected in sentence(dialog), timeout=60_000)
    assert code(dialog).toPlainText() == ""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_network_without_a_name_gets_the_name_of_its_file(
    line_end: str, dialog: ImportDialog, project: Project, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "my lesson.py"
    path.write_bytes(LESSON.replace("\n", line_end).encode())
    dialog.open_file(path)
    qtbot.waitUntil(lambda: ready(dialog), timeout=60_000)
    press(dialog, QPushButton, "importButton", qtbot)
    assert project.network.name == "my lesson"


def test_a_notebook_is_opened_as_the_code_of_its_cells(
    dialog: ImportDialog, project: Project, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "my notebook.ipynb"
    cells = ["%matplotlib inline\nimport keras", LESSON]
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": each} for each in cells]}))
    dialog.open_file(path)
    qtbot.waitUntil(lambda: ready(dialog), timeout=60_000)
    assert code(dialog).toPlainText().startswith("# %% cell 1\n")
    assert sentence(dialog).startswith("Keras: 6 layers")
    press(dialog, QPushButton, "importButton", qtbot)
    assert project.network.name == "my notebook"


# The clipboard


def test_code_on_the_clipboard_is_pasted_as_layers(project: Project, qtbot: QtBot) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    before = project.network
    messages: list[object] = []
    project.message.connect(messages.append)
    paste(STRANGE)
    design_actions(project, widget)["actionPaste"].trigger()
    assert len(project.network) == len(before) + 6
    assert project.undo_stack.count() == 1
    assert len(messages) == 1
    assert str(messages[0]).startswith("Line 6: ")


def test_other_text_on_the_clipboard_is_not_imported(project: Project, qtbot: QtBot) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    messages: list[object] = []
    project.message.connect(messages.append)
    for text in ("Dear Sir or Madam", "nn.Sequential(", "nn.ReLU()\n" * 30_000):
        paste(text)
        design_actions(project, widget)["actionPaste"].trigger()
    assert messages[0] == "The clipboard contains no layers: copy some first."
    assert "not Python" in str(messages[1])
    assert "File ▸ Import…" in str(messages[2])
    assert project.undo_stack.count() == 0


def test_only_text_that_looks_like_code_is_parsed() -> None:
    assert looks_like_code(LESSON)
    assert looks_like_code("net = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))")
    assert not looks_like_code("A letter (to nobody)")


def test_rmsprop_gets_the_defaults_of_keras() -> None:
    recipe, _ = recipe_from_code(read_code(LESSON.replace("optimizer='adam'", "optimizer='rmsprop'")))
    assert recipe is not None
    assert (recipe.optimizer, recipe.learning_rate, recipe.momentum) == ("rmsprop", 0.001, 0.0)


def test_settings_missing_in_the_code_are_those_of_the_lesson() -> None:
    recipe, _ = recipe_from_code(read_code(LESSON))
    assert recipe is not None
    assert (recipe.schedule, recipe.flip, recipe.weight_decay) == ("constant", "off", 0.0)
    assert recipe_from_code(read_code(LESSON.partition("model.compile")[0]))[0] is None


def test_an_invalid_training_setting_is_a_note_and_does_not_prevent_the_import(
    dialog: ImportDialog, project: Project, qtbot: QtBot
) -> None:
    read(dialog, LESSON.replace("batch_size=64", "batch_size=100000"), qtbot)
    notes = dialog.findChild(QListWidget, "importNotes")
    assert "batch_size: must be between 1 and 65,536, got 100,000" in notes.item(0).text()
    notes.itemActivated.emit(notes.item(0))
    press(dialog, QPushButton, "importButton", qtbot)
    assert names(project.network)[:2] == ["Conv2D", "MaxPooling2D"]
    assert (project.recipe.epochs, project.recipe.batch_size) == (7, 32)

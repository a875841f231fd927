"""The complete program: follows edits, highlights the selection, copies and saves."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QPlainTextEdit, QToolButton
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.gui.designer.inspector.code_view import CodeView
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.segments import Choice


@pytest.fixture
def project(lesson: Network) -> Project:
    return Project(lesson)


@pytest.fixture
def view(qtbot: QtBot, project: Project) -> CodeView:
    view = CodeView(project)
    qtbot.addWidget(view)
    with qtbot.waitActive(view):
        view.show()
    qtbot.waitUntil(lambda: "class LessonCNN" in text(view))
    return view


def text(view: CodeView) -> str:
    return view.findChild(QPlainTextEdit, "code").toPlainText()


def choose(view: CodeView, language: int) -> None:
    view.findChild(Choice).buttons[language].click()


def test_the_program_is_valid_python_in_both_languages(view: CodeView) -> None:
    ast.parse(text(view))
    choose(view, 1)
    ast.parse(text(view))
    assert "import keras" in text(view)


@pytest.mark.parametrize(("tab", "line"), [(0, '("conv2d_2", nn.Conv2d(32, 64, '), (1, "layers.Conv2D(64, ")])
def test_the_lines_of_the_selected_layer_are_highlighted(
    qtbot: QtBot, project: Project, view: CodeView, tab: int, line: str
) -> None:
    choose(view, tab)
    project.select(["conv2d_2"])
    qtbot.waitUntil(lambda: bool(view.highlighted_lines))
    assert view.highlighted_lines[0].strip().startswith(line)
    assert all("Linear" not in each and "Dense" not in each for each in view.highlighted_lines)


def test_the_program_follows_an_edit(qtbot: QtBot, project: Project, view: CodeView) -> None:
    project.edit("rename", edits.rename(project.network, "Other net"))
    qtbot.waitUntil(lambda: "class OtherNet" in text(view))


def test_with_a_faulty_network_the_view_says_why_and_shows_the_layers(
    qtbot: QtBot, project: Project, view: CodeView, faulty: Network
) -> None:
    project.open_network(faulty, None)
    qtbot.waitUntil(lambda: text(view).startswith("# No complete program yet. Dense takes a flat vector"))
    assert "nn.Conv2d(3, 32, kernel_size=3)," in text(view)


def test_copy_copies_the_whole_program(qtbot: QtBot, view: CodeView) -> None:
    qtbot.mouseClick(view.findChild(QToolButton, "copyCode"), Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == text(view)


def test_the_program_is_saved_as_a_python_file(
    qtbot: QtBot, view: CodeView, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments: (str(tmp_path / "net"), ""))
    qtbot.mouseClick(view.findChild(QToolButton, "saveCode"), Qt.MouseButton.LeftButton)
    assert (tmp_path / "net.py").read_text("utf-8") == text(view) + "\n"


def test_a_faulty_network_is_not_saved(
    qtbot: QtBot, project: Project, view: CodeView, faulty: Network
) -> None:
    project.open_network(faulty, None)
    messages: list[str] = []
    project.message.connect(messages.append)
    qtbot.mouseClick(view.findChild(QToolButton, "saveCode"), Qt.MouseButton.LeftButton)
    assert len(messages) == 1
    assert "cannot be written as a program yet" in messages[0]


def test_the_code_of_all_layers_in_a_selected_group_is_highlighted(
    qtbot: QtBot, project: Project, view: CodeView, nested: Network
) -> None:
    project.open_network(nested, None)
    project.select(["residual_1"])
    qtbot.waitUntil(lambda: any("Conv2d" in line for line in view.highlighted_lines))

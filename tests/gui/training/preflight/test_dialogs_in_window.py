"""Opening the preflight dialogs from the window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import shiboken6
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.design import edits
from cnnstudio.gui.compute.session import State
from cnnstudio.gui.shell.app import create_window
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.training.preflight.base_dialog import ComputeDialog
from cnnstudio.gui.training.preflight.lr_range_dialog import LrRangeDialog
from cnnstudio.gui.training.preflight.preflight_dialog import PreflightDialog
from cnnstudio.gui.training.start_from.start_choice import StartChoice


@pytest.fixture
def window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    """The window, with dialogs that open but compute nothing."""
    monkeypatch.setattr(ComputeDialog, "start", lambda dialog: None)
    window = create_window()
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    yield window
    # Loading torch cannot be interrupted.
    qtbot.waitUntil(lambda: not window.session.is_busy, timeout=60_000)
    window.project.mark_saved(Path("elsewhere.cnn.json"))
    window.close()
    shiboken6.delete(window)


def trigger(window: MainWindow, name: str) -> None:
    action = window.findChild(QAction, name)
    assert isinstance(action, QAction)
    action.trigger()


@pytest.mark.parametrize(
    ("name", "button", "kind"),
    [
        ("actionFindLearningRate", "findRate", LrRangeDialog),
        ("actionPreflight", "checkTraining", PreflightDialog),
    ],
)
def test_menu_and_recipe_popup_open_the_dialogs(
    window: MainWindow, name: str, button: str, kind: type[ComputeDialog]
) -> None:
    window.tool_bar.start.choose(StartChoice("first-run", "First run"))
    from_recipe = window.tool_bar.popup.findChild(QPushButton, button)
    assert isinstance(from_recipe, QPushButton)
    opens: list[Callable[[], object]] = [lambda: trigger(window, name), from_recipe.click]
    for open_it in opens:
        open_it()
        dialog = window.findChild(kind)
        assert isinstance(dialog, kind)
        assert dialog.isVisible()
        assert dialog.weights == "first-run"
        dialog.reject()
        shiboken6.delete(dialog)


def test_the_dialogs_do_not_open_during_training_or_for_an_invalid_design(window: MainWindow) -> None:
    window.session._set_state(State.RUNNING)
    trigger(window, "actionPreflight")
    assert window.message_bar.text.startswith("Training is in progress")
    window.session._set_state(State.IDLE)
    first = window.project.network.nodes[4].id
    window.project.edit("delete Flatten", edits.remove(window.project.network, [first]))
    trigger(window, "actionFindLearningRate")
    assert window.message_bar.text.startswith("This network cannot be trained yet.")
    assert window.findChild(ComputeDialog) is None


def test_the_estimate_is_shown_until_something_changes(window: MainWindow) -> None:
    estimate = "takes about 2 m and 22 MB"
    window.tool_bar.status.show_estimate(SimpleNamespace(summary=estimate))  # type: ignore[arg-type]  # all that is shown
    assert estimate in window.tool_bar.status_label.full_text
    recipe = window.project.recipe
    window.project.set_recipe(recipe.replace(batch_size=64))
    assert estimate not in window.tool_bar.status_label.full_text
    window.project.undo_stack.undo()
    assert estimate in window.tool_bar.status_label.full_text

"""From the window to what is tried out before a training."""

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
from cnnstudio.gui.training.preflight.base_dialog import TrialDialog
from cnnstudio.gui.training.preflight.lr_range_dialog import RateDialog
from cnnstudio.gui.training.preflight.preflight_dialog import PreflightDialog


@pytest.fixture
def window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    """The window, with trials that are opened but compute nothing."""
    monkeypatch.setattr(TrialDialog, "start", lambda dialog: None)
    window = create_window()
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    yield window
    # Loading torch cannot be called off.
    qtbot.waitUntil(lambda: not window.session.is_busy, timeout=60_000)
    window.project.mark_saved(Path("elsewhere.cnn.json"))
    window.close()
    shiboken6.delete(window)


def act(window: MainWindow, name: str) -> None:
    action = window.findChild(QAction, name)
    assert isinstance(action, QAction)
    action.trigger()


@pytest.mark.parametrize(
    ("name", "button", "kind"),
    [
        ("actionFindLearningRate", "findRate", RateDialog),
        ("actionPreflight", "checkTraining", PreflightDialog),
    ],
)
def test_menu_and_recipe_open_the_trial(
    window: MainWindow, name: str, button: str, kind: type[TrialDialog]
) -> None:
    from_recipe = window.panel.popup.findChild(QPushButton, button)
    assert isinstance(from_recipe, QPushButton)
    opens: list[Callable[[], object]] = [lambda: act(window, name), from_recipe.click]
    for open_it in opens:
        open_it()
        dialog = window.findChild(kind)
        assert isinstance(dialog, kind)
        assert dialog.isVisible()
        dialog.reject()
        shiboken6.delete(dialog)


def test_nothing_is_tried_while_it_trains_or_while_it_cannot(window: MainWindow) -> None:
    window.session._set_state(State.RUNNING)
    act(window, "actionPreflight")
    assert window.notice.text.startswith("This can be tried out when training has ended")
    window.session._set_state(State.IDLE)
    first = window.project.network.nodes[4].id
    window.project.edit("delete Flatten", edits.remove(window.project.network, [first]))
    act(window, "actionFindLearningRate")
    assert window.notice.text.startswith("This network cannot be trained yet.")
    assert window.findChild(TrialDialog) is None


def test_what_was_measured_stands_in_the_quiet_line_until_something_changes(window: MainWindow) -> None:
    words = "takes about 2 m and 22 MB"
    window.panel.show_measurement(SimpleNamespace(in_short=words))  # type: ignore[arg-type]  # as far as it is shown
    assert words in window.panel.sentence.whole
    recipe = window.project.recipe
    window.project.set_recipe(recipe.replace(batch_size=64))
    assert words not in window.panel.sentence.whole
    window.project.undo_stack.undo()
    assert words in window.panel.sentence.whole

"""Opens the dialogs before a training. Each is loaded when it is first wanted: the window starts without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

from cnnstudio.gui.compute.session import State

if TYPE_CHECKING:
    from cnnstudio.gui.shell.main_window import MainWindow

_STILL_TRAINING = "This can be tried out when training has ended: press Stop, or wait for it."


def show_rate_finder(window: MainWindow) -> None:
    """The learning rate finder."""
    from cnnstudio.gui.training.preflight.rate_dialog import RateDialog

    if _may_try(window):
        dialog = RateDialog(window.project, window.session, window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        dialog.start()


def show_preflight(window: MainWindow) -> None:
    """The measurement before a training."""
    from cnnstudio.gui.training.preflight.preflight_dialog import PreflightDialog

    if _may_try(window):
        dialog = PreflightDialog(window.project, window.session, window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.measured.connect(window.panel.show_measurement)
        dialog.open()
        dialog.start()


def _may_try(window: MainWindow) -> bool:
    """Whether there is something to try out; says what is missing where there is not."""
    project = window.project
    problems = project.analysis.problems
    if window.session.state is not State.IDLE:
        window.notice.show_sentence(_STILL_TRAINING)
    elif problems:
        window.notice.show_sentence(
            f"This network cannot be trained yet. {problems[0].sentence}.", wrong=True
        )
    elif not project.dataset_name:
        window.notice.show_sentence(
            "There are no pictures to train with: choose a data set first.", wrong=True
        )
    else:
        return True
    return False

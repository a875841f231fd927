"""Starts the window. Nothing here or below it imports torch before the window is on the screen."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from cnnstudio import __version__
from cnnstudio.core.logs import start_log
from cnnstudio.core.paths import home
from cnnstudio.core.resources import resource
from cnnstudio.data.sources import find_source
from cnnstudio.design.templates import templates
from cnnstudio.gui.compute.compute_thread import threads_left
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.designer.quick_fix.advice_service import advice_desk
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.shell.excepthook import tell_mistakes
from cnnstudio.gui.shell.idle_gc import collect_seldom
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.shell.shutdown_signals import SignalWatch
from cnnstudio.gui.theme.theme import theme

_OFFER = (
    "Shapes, drawn by the program, is ready to train with. CIFAR-10 has real photographs: download it "
    "(170 MB), or choose the archive if you have it."
)
_NO_HOME = (
    "Nothing can be written to {}: runs, settings and unsaved work are not kept. "
    "Give another folder in CNNSTUDIO_HOME."
)
_LAST_SECONDS = 10.0
"""For the checkpoint, where the program is asked to end."""
_RESTORED = "CNN Studio did not end properly; this is the design as it was then. Save it to keep it."


def application() -> QApplication:
    """The one QApplication, with name, icon and look."""
    present = QApplication.instance()
    app = present if isinstance(present, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("CNN Studio")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("cnnstudio")
    app.setWindowIcon(QIcon(str(resource("icons/cnnstudio.svg"))))
    theme().apply(app)
    return app


def create_window(path: str | Path | None = None) -> MainWindow:
    """The window, with the design or run at `path` in it, without starting an event loop."""
    application()
    settings = Settings()
    theme().set_scheme(settings.scheme)
    project = Project()
    session = TrainingSession()
    project.open_network(templates()["lesson-32"].network, None)
    advice_desk(project).remember_in(settings)
    window = MainWindow(project, session, settings, recover=path is None)
    project.set_dataset(_first_dataset(settings), None)
    # How the window begins is nothing to undo.
    project.undo_stack.clear()
    if path is not None:
        _open(window, Path(path))
    elif window.documents.recovered is not None:
        project.edit("restore the unsaved design", window.documents.recovered)
        window.notice.show_sentence(_RESTORED)
    elif not window.documents.keeps_a_copy:
        window.notice.show_sentence(_NO_HOME.format(home()), wrong=True)
    elif project.dataset_name == "shapes" and not settings.text("cifar10_offered"):
        settings.set_text("cifar10_offered", "yes")
        window.notice.show_sentence(_OFFER, button="Get CIFAR-10…", action=window.dialogs.show_data_sets)
    return window


def _open(window: MainWindow, path: Path) -> None:
    if path.suffix == ".json":
        window.documents.open_path(path)
    else:
        window.open_run(path)


def _first_dataset(settings: Settings) -> str:
    """The one chosen last time, while it is there; else CIFAR-10 if it is on the machine, else Shapes."""
    from cnnstudio.core.errors import UserError

    for name in (settings.text("dataset"), "cifar10"):
        try:
            if name and find_source(name).available():
                return name
        except UserError:
            continue
    return "shapes"


def _end(window: MainWindow, number: int) -> None:
    """The system or the terminal asks the program to end: nobody is there to be asked."""
    window.session.shutdown(_LAST_SECONDS)
    QApplication.exit(128 + number)


def main(path: str | None = None) -> int:
    """Shows the window and runs until it is closed."""
    start_log(on_screen=True)
    app = application()
    window = create_window(path)
    tell_mistakes(lambda sentence: window.notice.show_sentence(sentence, wrong=True))
    window.show()
    collect_seldom()
    watch = SignalWatch(lambda number: _end(window, number))
    status = app.exec()
    watch.close()
    if threads_left():
        logging.shutdown()
        os._exit(status)
    return status

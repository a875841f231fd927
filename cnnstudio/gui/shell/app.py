"""Starts the window. Nothing on this path imports torch before the window is visible."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from cnnstudio import __version__
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.logs import configure_logging
from cnnstudio.core.paths import home
from cnnstudio.core.resources import resource
from cnnstudio.core.temporary import discard_temporary_folders
from cnnstudio.design.templates import templates
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.shell.closing import end_work_unattended, is_unfinished
from cnnstudio.gui.shell.errors.excepthook import install_excepthook
from cnnstudio.gui.shell.last_session import LastSession
from cnnstudio.gui.shell.main_window import MainWindow
from cnnstudio.gui.shell.shutdown_signals import ShutdownSignalWatcher
from cnnstudio.gui.shell.start_marker import StartMarker
from cnnstudio.gui.theme.theme import theme

_CIFAR10_OFFER = (
    "The built-in Shapes data set is ready to train on. For real photographs, download CIFAR-10 (170 MB), "
    "or choose its archive if you have it already."
)
_NOT_WRITABLE = (
    "{} is not writable, so runs, settings and autosaves cannot be stored. "
    "Set CNNSTUDIO_HOME to a writable folder."
)
_PLAIN_START = (
    "CNN Studio closed unexpectedly while it was starting, so nothing of the last session was opened. Its "
    "settings are kept in {}."
)
_RESTORED = "CNN Studio closed unexpectedly. Your unsaved design was restored; save it to keep it."
_SHUTDOWN_SECONDS = 60.0
"""How long a shutdown signal waits for the last checkpoint, and for files that are being written."""


def application() -> QApplication:
    """The QApplication, with its name, icon and theme; created on the first call."""
    present = QApplication.instance()
    app = present if isinstance(present, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("CNN Studio")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("cnnstudio")
    app.setWindowIcon(QIcon(str(resource("icons/cnnstudio.svg"))))
    theme().apply(app)
    return app


def create_window(path: str | Path | None = None, *, is_plain: bool = False) -> MainWindow:
    """Creates the window, with the design or run at `path` opened, without starting an event loop.

    If it `is_plain`, nothing of the last session is opened: doing so has ended the program.
    """
    application()
    settings = Settings()
    if is_plain:
        settings.set_session_aside()
    theme().set_scheme(settings.scheme)
    project = Project()
    session = TrainingSession()
    last = LastSession(project, settings)
    # Before there is a window, so that it shows one design only.
    if path is not None or is_plain or not last.restore_design():
        project.open_network(templates()["lesson-32"].network, None)
    advice_service(project).use_settings(settings)
    window = MainWindow(project, session, settings, last)
    last.restore_recipe()
    project.set_dataset(last.dataset(), None)
    # The initial state cannot be undone.
    project.undo_stack.clear()
    if path is not None:
        _open(window, Path(path))
        if not window.message_bar.text:
            _offer_unsaved(window, "")
    elif is_plain:
        _offer_unsaved(window, _PLAIN_START.format(settings.damaged_path))
    elif window.documents.autosave.found:
        _restore(window)
    elif not window.documents.autosave.is_possible:
        window.message_bar.show_text(_NOT_WRITABLE.format(home()), is_error=True)
    elif window.saved_geometry.note:
        window.message_bar.show_text(window.saved_geometry.note)
    elif project.dataset_name == "shapes" and not settings.text("cifar10_offered"):
        settings.set_text("cifar10_offered", "yes")
        window.message_bar.show_text(
            _CIFAR10_OFFER,
            button="Get CIFAR-10…",
            action=window.dialogs.show_data_sets,
            holds=_still_new(window),
        )
    return window


def _still_new(window: MainWindow) -> Callable[[], bool]:
    """Whether the user still looks at the first design: later, the offer would only cover what they do.

    Whoever has chosen another data set has no need of it.
    """
    network, name, pages = window.project.network, window.project.dataset_name, window.pages
    return lambda: (
        window.project.network is network
        and window.project.dataset_name == name
        and pages.currentIndex() in (pages.DESIGN, pages.DATA)
    )


def _restore(window: MainWindow) -> None:
    """Opens the newest of the designs that crashed sessions left, and offers the others."""
    window.documents.open_unsaved(window.documents.autosave.found[0])
    _offer_unsaved(window, f"{_RESTORED} {window.saved_geometry.note}".strip())


def _offer_unsaved(window: MainWindow, text: str) -> None:
    """Shows the text, and a button for the designs that crashed sessions left, if there are any."""
    count = len(window.documents.autosave.found)
    if not count:
        window.message_bar.show_text(text) if text else None
        return
    what = f"{'more ' if text else ''}unsaved design"
    there = f"There {'is' if count == 1 else 'are'} {pluralize(count, what)} of earlier sessions."
    window.message_bar.show_text(
        f"{text} {there}".strip(), button="Show unsaved designs…", action=window.dialogs.show_unsaved
    )


def _open(window: MainWindow, path: Path) -> None:
    if path.suffix == ".json":
        window.documents.open_path(path)
    else:
        window.open_run(path)


def _shut_down(window: MainWindow, marker: StartMarker, number: int) -> None:
    """Handles a shutdown signal: saves the training and exits without asking, since nobody may be there."""
    marker.remove()
    window.documents.autosave.save()
    end_work_unattended(window, window.session, _SHUTDOWN_SECONDS)
    if is_unfinished(window.session):
        _exit_at_once(128 + number)
    QApplication.exit(128 + number)


def _exit_at_once(status: int) -> NoReturn:
    """Exits without the cleanup of the interpreter.

    It ends all threads wherever they are. One that was sending a signal then keeps a lock of Qt for ever, and
    the main thread, which destroys Qt's objects at that time, waits for it: a process without a window that
    never ends.
    """
    discard_temporary_folders()
    logging.shutdown()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # a program without a console has none
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def main(path: str | None = None) -> NoReturn:
    """Shows the window, runs until it is closed, and exits."""
    configure_logging(on_screen=True)
    app = application()
    marker = StartMarker()
    try:
        window = create_window(path, is_plain=marker.last_start_died)
    except Exception:
        marker.leave()
        raise
    install_excepthook(lambda message: window.message_bar.show_text(message, is_error=True))
    window.show()
    marker.remove_soon()
    watcher = ShutdownSignalWatcher(lambda number: _shut_down(window, marker, number))
    # The session may end while the window still asks whether to save.
    app.commitDataRequest.connect(lambda manager: window.documents.autosave.save())
    status = app.exec()
    watcher.close()
    marker.remove()
    if not window.has_closed:
        end_work_unattended(window, window.session, _SHUTDOWN_SECONDS)
    window.settings.save()
    _exit_at_once(status)

"""The file of the open design: new, open, save, recent files and autosave."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.core.files import FileError
from cnnstudio.core.paths import home
from cnnstudio.design.file import SUFFIX, DesignError, read_design, write_design
from cnnstudio.design.network import Network
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.widgets.message_box import Answer, MessageBox

_FILTER = f"Designs (*{SUFFIX});;All files (*)"
_AUTOSAVE_INTERVAL_MS = 4_000
"""So that after a crash no edit older than five seconds is lost; an unchanged design is not written again."""
_MAX_SLOTS = 32


class Documents(QObject):
    """Opens and saves the design. Failures are messages of `failed` and leave the design as it was."""

    failed = Signal(object)
    recent_changed = Signal(object)

    def __init__(self, project: Project, settings: Settings, window: QWidget, *, recover: bool) -> None:
        """With `recover`, loads the autosave of a crashed session; otherwise leaves it for a later start."""
        super().__init__(window)
        self._project = project
        self._settings = settings
        self._window = window
        self._autosaved_network: Network | None = None
        self._slot, self._lock = _free_slot(recover)
        self.recovered = _read_if_exists(self._slot) if self._slot is not None else None
        """The unsaved design of a crashed session, if there is one."""
        self._timer = QTimer(self)
        self._timer.setInterval(_AUTOSAVE_INTERVAL_MS)
        self._timer.timeout.connect(self.autosave)
        self._timer.start()

    # Files

    def new(self) -> bool:
        """Starts an empty design for the same image size; False if the user canceled."""
        if not self.confirm_discard():
            return False
        self._project.open_network(Network(input=self._project.network.input), None)
        return True

    def open_template(self, network: Network) -> bool:
        """Opens a template as a new, unsaved design; False if the user canceled."""
        if not self.confirm_discard():
            return False
        self._project.open_network(network, None)
        return True

    def open(self) -> bool:
        """Asks for a design file and opens it; False if that failed or the user canceled."""
        if not self.confirm_discard():
            return False
        name, _ = QFileDialog.getOpenFileName(self._window, "Open design", str(self._folder()), _FILTER)
        return bool(name) and self._open_path(Path(name))

    def open_path(self, path: Path) -> bool:
        """Opens a given file, such as a recent one; False if that failed or the user canceled."""
        return self.confirm_discard() and self._open_path(path)

    def _open_path(self, path: Path) -> bool:
        try:
            network = read_design(path)
        except DesignError as error:
            self._settings.remove_recent_file(path.absolute())
            self.recent_changed.emit(self._settings.recent_files)
            self.failed.emit(str(error))
            return False
        self._project.open_network(network, path)
        self._add_to_recent(path)
        return True

    def save(self) -> bool:
        """Saves to the design's file, or asks for one if it has none; False if it was not saved."""
        path = self._project.path
        return self.save_as() if path is None else self._write(path)

    def save_as(self) -> bool:
        """Asks for a file and saves the design to it; False if it was not saved."""
        suggestion = self._folder() / f"{file_stem(self._project.network.name)}{SUFFIX}"
        name, _ = QFileDialog.getSaveFileName(self._window, "Save design", str(suggestion), _FILTER)
        if not name:
            return False
        path = Path(name)
        if path.name.endswith(".json"):
            return self._write(path)
        # The file dialog has asked about replacing the file with the typed name, not the one with the suffix.
        path = path.with_name(path.name + SUFFIX)
        return self._confirm_replace(path) and self._write(path)

    def _confirm_replace(self, path: Path) -> bool:
        if not path.exists():
            return True
        box = MessageBox(
            self._window,
            "Replace file",
            f"{path.name} already exists. Replace it?",
            f"This overwrites the file in {path.parent}.",
            icon="save",
            answers=(
                Answer("cancel", "&Cancel", default=True, escape=True),
                Answer("replace", "&Replace"),
            ),
        )
        return box.ask() == "replace"

    def _write(self, path: Path) -> bool:
        try:
            write_design(path, self._project.network)
        except FileError as error:
            self.failed.emit(f"The design was not saved. {error}")
            return False
        self._project.mark_saved(path)
        self._add_to_recent(path)
        self.discard_autosave()
        return True

    def confirm_discard(self) -> bool:
        """Offers to save unsaved changes; True if none are left or the user discards them."""
        if not self._project.is_modified:
            return True
        box = MessageBox(
            self._window,
            "Unsaved changes",
            f"Save changes to “{self._project.network.name}”?",
            "Your changes will be lost if you don’t save them.",
            icon="save",
            answers=(
                Answer("discard", "&Don’t save", on_left=True),
                Answer("cancel", "&Cancel", escape=True),
                Answer("save", "&Save", default=True, primary=True),
            ),
        )
        answer = box.ask()
        return self.save() if answer == "save" else answer == "discard"

    def _add_to_recent(self, path: Path) -> None:
        self._settings.add_recent_file(path.absolute())
        self._settings.set_text("folder", str(path.absolute().parent))
        self.recent_changed.emit(self._settings.recent_files)

    def clear_recent(self) -> None:
        """Clears the list of recent files."""
        self._settings.clear_recent_files()
        self.recent_changed.emit([])

    def _folder(self) -> Path:
        if self._project.path is not None:
            return self._project.path.absolute().parent
        remembered = Path(self._settings.text("folder"))
        return remembered if self._settings.text("folder") and remembered.is_dir() else Path.home()

    # Autosave

    def autosave(self) -> None:
        """Writes the design to the autosave if it has unsaved changes that are not there yet."""
        network = self._project.network
        if self._slot is None or not self._project.is_modified or network is self._autosaved_network:
            return
        try:
            write_design(self._slot, network)
        except FileError:
            # Saving explicitly reports what is wrong with the disk; an autosave must not interrupt the user.
            return
        self._autosaved_network = network

    def discard_autosave(self) -> None:
        """Deletes the autosave; there are no unsaved changes."""
        if self._slot is not None:
            with contextlib.suppress(OSError):
                self._slot.unlink(missing_ok=True)
        self._autosaved_network = None

    @property
    def can_autosave(self) -> bool:
        """Whether unsaved work survives a crash; False if the data folder is not writable."""
        return self._slot is not None

    def close(self) -> None:
        """Deletes the autosave; the window is closing normally."""
        self._timer.stop()
        self.discard_autosave()
        if self._lock is not None:
            self._lock.unlock()


def _free_slot(recover: bool) -> tuple[Path | None, QLockFile | None]:
    """The autosave file of this window, and the lock that reserves it.

    Every open window has its own slot. The lock of a crashed process is stale, so its slot can be taken over;
    a slot that still holds an autosave is taken over only with `recover`. Returns (None, None) if the folder
    is not writable: the window then works without autosave.
    """
    folder = home()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, _MAX_SLOTS + 1):
        slot = folder / f"unsaved-{number}{SUFFIX}"
        lock = QLockFile(str(slot.with_name(slot.name + ".lock")))
        lock.setStaleLockTime(0)
        if not lock.tryLock(0):
            if lock.error() is not QLockFile.LockError.LockFailedError:
                return None, None
        elif recover or not slot.exists():
            return slot, lock
        else:
            lock.unlock()
    return None, None


def _read_if_exists(path: Path) -> Network | None:
    try:
        return read_design(path) if path.exists() else None
    except DesignError:
        return None


def file_stem(name: str) -> str:
    """The design's name as a file name that is valid on every system."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")[:60] or "design"

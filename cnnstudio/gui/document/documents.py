"""New, open, save and the recent files: what happens to the design's file; nothing unsaved is lost."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from cnnstudio.core.files import FileError
from cnnstudio.core.paths import home
from cnnstudio.design.file import SUFFIX, DesignError, read_design, write_design
from cnnstudio.design.network import Network
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings

_FILTER = f"Designs (*{SUFFIX});;All files (*)"
_AUTOSAVE_EVERY_MS = 20_000
_MOST_SLOTS = 32


class Documents(QObject):
    """The open design's file. Every failure is one sentence through `failed`; the design stays as it was."""

    failed = Signal(object)
    recent_changed = Signal(object)

    def __init__(self, project: Project, settings: Settings, window: QWidget, *, recover: bool) -> None:
        """With `recover`, unsaved work of a session that did not end properly is taken up; else it waits."""
        super().__init__(window)
        self._project = project
        self._settings = settings
        self._window = window
        self._autosaved: Network | None = None
        self._slot, self._lock = _free_slot(recover)
        self.recovered = _read_if_there(self._slot) if self._slot is not None else None
        """What an earlier session had left unsaved."""
        self._timer = QTimer(self)
        self._timer.setInterval(_AUTOSAVE_EVERY_MS)
        self._timer.timeout.connect(self._autosave)
        self._timer.start()

    # Files

    def new(self) -> bool:
        """An empty design for images of the same size; False where the user kept the present one."""
        if not self.may_discard():
            return False
        self._project.open_network(Network(input=self._project.network.input), None)
        return True

    def open_template(self, network: Network) -> bool:
        """A template as a new, unsaved design."""
        if not self.may_discard():
            return False
        self._project.open_network(network, None)
        return True

    def open(self) -> bool:
        """Asks for a design file and opens it."""
        if not self.may_discard():
            return False
        name, _ = QFileDialog.getOpenFileName(self._window, "Open a design", str(self._folder()), _FILTER)
        return bool(name) and self._open_path(Path(name))

    def open_path(self, path: Path) -> bool:
        """Opens a file that is known already: a recent or dropped one, or the command line's."""
        return self.may_discard() and self._open_path(path)

    def _open_path(self, path: Path) -> bool:
        try:
            network = read_design(path)
        except DesignError as error:
            self._settings.forget_recent_file(path.absolute())
            self.recent_changed.emit(self._settings.recent_files)
            self.failed.emit(str(error))
            return False
        self._project.open_network(network, path)
        self._remember(path)
        return True

    def save(self) -> bool:
        """Saves to the design's own file; asks for one where it has none. False where it was not saved."""
        path = self._project.path
        return self.save_as() if path is None else self._write(path)

    def save_as(self) -> bool:
        """Asks for a file and saves there."""
        suggestion = self._folder() / f"{file_stem(self._project.network.name)}{SUFFIX}"
        name, _ = QFileDialog.getSaveFileName(self._window, "Save the design", str(suggestion), _FILTER)
        if not name:
            return False
        path = Path(name)
        if path.name.endswith(".json"):
            return self._write(path)
        # The dialog asked about the name as it was typed, not about this one.
        path = path.with_name(path.name + SUFFIX)
        return self._may_replace(path) and self._write(path)

    def _may_replace(self, path: Path) -> bool:
        if not path.exists():
            return True
        answer = QMessageBox.question(
            self._window, "Save the design", f"{path.name} is there already. Replace it with this design?"
        )
        return answer == QMessageBox.StandardButton.Yes

    def _write(self, path: Path) -> bool:
        try:
            write_design(path, self._project.network)
        except FileError as error:
            self.failed.emit(f"The design is not saved. {error}")
            return False
        self._project.mark_saved(path)
        self._remember(path)
        self.drop_autosave()
        return True

    def may_discard(self) -> bool:
        """True where nothing is unsaved, or the user saved it now, or gave it up."""
        if not self._project.is_modified:
            return True
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Unsaved changes")
        box.setText(f"Save the changes to “{self._project.network.name}”?")
        box.setInformativeText("They are lost otherwise.")
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Save)
        answer = box.exec()
        if answer == buttons.Save:
            return self.save()
        return answer == buttons.Discard

    def _remember(self, path: Path) -> None:
        self._settings.add_recent_file(path.absolute())
        self._settings.set_text("folder", str(path.absolute().parent))
        self.recent_changed.emit(self._settings.recent_files)

    def clear_recent(self) -> None:
        """Forgets the recent files."""
        self._settings.clear_recent_files()
        self.recent_changed.emit([])

    def _folder(self) -> Path:
        if self._project.path is not None:
            return self._project.path.absolute().parent
        remembered = Path(self._settings.text("folder"))
        return remembered if self._settings.text("folder") and remembered.is_dir() else Path.home()

    # A copy of unsaved work, for the day on which the machine goes down

    def _autosave(self) -> None:
        network = self._project.network
        if self._slot is None or not self._project.is_modified or network is self._autosaved:
            return
        try:
            write_design(self._slot, network)
        except FileError:
            # The user's own save says what is wrong with the disk; a safety copy must not nag.
            return
        self._autosaved = network

    def drop_autosave(self) -> None:
        """There is nothing unsaved any more."""
        if self._slot is not None:
            with contextlib.suppress(OSError):
                self._slot.unlink(missing_ok=True)
        self._autosaved = None

    @property
    def keeps_a_copy(self) -> bool:
        """Whether unsaved work would survive a crash; not so where the user's data folder takes no files."""
        return self._slot is not None

    def close(self) -> None:
        """The window closes properly: no safety copy stays."""
        self._timer.stop()
        self.drop_autosave()
        if self._lock is not None:
            self._lock.unlock()


def _free_slot(recover: bool) -> tuple[Path | None, QLockFile | None]:
    """The file of this window's safety copy, and the lock that keeps a second window off it.

    The lock of a process that died is stale and given to us, and where `recover` the copy that it left too.
    None where the folder takes no files: the window then works without a copy.
    """
    folder = home()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, _MOST_SLOTS + 1):
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


def _read_if_there(path: Path) -> Network | None:
    try:
        return read_design(path) if path.exists() else None
    except DesignError:
        return None


def file_stem(name: str) -> str:
    """The design's name as a file name that every system takes."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")[:60] or "design"

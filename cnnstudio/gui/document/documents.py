"""The file of the open design: new, open, save, recent files, and unsaved designs of crashed sessions."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from cnnstudio.core.files import FileError
from cnnstudio.design.file import SUFFIX, DesignError, read_design, write_design
from cnnstudio.design.network import Network
from cnnstudio.gui.document.autosave import Autosave, UnsavedDesign
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.widgets.message_box import Answer, MessageBox, confirm_replace

_FILTER = f"Designs (*{SUFFIX});;All files (*)"


class Documents(QObject):
    """Opens and saves the design. Failures are messages of `failed` and leave the design as it was."""

    failed = Signal(object)
    recent_changed = Signal(object)
    opened = Signal()
    """The user has opened or begun another design, and wants to see it."""

    def __init__(self, project: Project, settings: Settings, window: QWidget) -> None:
        super().__init__(window)
        self._project = project
        self._settings = settings
        self._window = window
        self.autosave = Autosave(project, self)

    # Files

    def new(self) -> bool:
        """Starts an empty design for the same image size; False if the user canceled."""
        if not self.confirm_discard():
            return False
        self._project.open_network(Network(input=self._project.network.input), None)
        self.opened.emit()
        return True

    def open_template(self, network: Network) -> bool:
        """Opens a template as a new, unsaved design; False if the user canceled."""
        if not self.confirm_discard():
            return False
        self._project.open_network(network, None)
        self.opened.emit()
        return True

    def open_unsaved(self, design: UnsavedDesign) -> bool:
        """Opens a design that a crashed session left; False if the user canceled."""
        if not self.confirm_discard():
            return False
        self._project.open_network(design.network, None, is_saved=False)
        self.autosave.save()
        if self.autosave.is_written:
            self.autosave.forget(design)
        self.opened.emit()
        return True

    def discard_unsaved(self, design: UnsavedDesign) -> bool:
        """Asks whether to delete a design that a crashed session left; False if the user canceled."""
        box = MessageBox(
            self._window,
            "Discard design",
            f"Discard “{design.network.name}”?",
            "This deletes the unsaved design for good.",
            icon="delete",
            answers=(
                Answer("cancel", "&Cancel", default=True, escape=True),
                Answer("discard", "&Discard"),
            ),
        )
        if box.ask() != "discard":
            return False
        self.autosave.forget(design)
        return True

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
        self.opened.emit()
        return True

    def save(self) -> bool:
        """Saves to the design's file, or asks for one if it has none; False if it was not saved."""
        path = self._project.path
        return self.save_as() if path is None else self._write(path)

    def save_as(self) -> bool:
        """Asks for a file and saves the design to it; False if it was not saved."""
        suggestion = self.folder / f"{file_stem(self._project.network.name)}{SUFFIX}"
        name, _ = QFileDialog.getSaveFileName(self._window, "Save design", str(suggestion), _FILTER)
        if not name:
            return False
        path = Path(name)
        if path.name.endswith(".json"):
            return self._write(path)
        # The file dialog has asked about replacing the file with the typed name, not the one with the suffix.
        path = path.with_name(path.name + SUFFIX)
        return confirm_replace(self._window, path) and self._write(path)

    def _write(self, path: Path) -> bool:
        try:
            write_design(path, self._project.network)
        except FileError as error:
            self.failed.emit(f"The design was not saved. {error}")
            return False
        self._project.mark_saved(path)
        self._add_to_recent(path)
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

    @property
    def folder(self) -> Path:
        """Where the user is likely to keep files: beside the design, or where the last one was."""
        if self._project.path is not None:
            return self._project.path.absolute().parent
        remembered = Path(self._settings.text("folder"))
        return remembered if self._settings.text("folder") and remembered.is_dir() else Path.home()


def file_stem(name: str) -> str:
    """The design's name as a file name that is valid on every system."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")[:60] or "design"

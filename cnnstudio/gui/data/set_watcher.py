"""Notices that another program, such as the command line, has changed the list of the user's data sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.core.formatting import join_words, list_names
from cnnstudio.core.parameters import shorten
from cnnstudio.data.sources.folder_list import (
    RegisteredSet,
    last_written,
    list_state,
    readable_sets,
    registered_sets,
)
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import Message

INTERVAL_MS = 1_000
_MAX_NAME = 60


@dataclass(frozen=True)
class ListChanges:
    """What has become of the data sets in the list, by name."""

    removed: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Name -> the name now; the settings may have changed as well."""
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Those with other settings: layout, split or image size."""

    @classmethod
    def between(cls, before: Mapping[str, RegisteredSet], now: Mapping[str, RegisteredSet]) -> ListChanges:
        """A set whose folder or table is in the list under another name was renamed."""
        new = {entry.path: name for name, entry in now.items() if name not in before}
        gone = [name for name in before if name not in now]
        renamed = {name: new[before[name].path] for name in gone if before[name].path in new}
        return cls(
            removed=tuple(name for name in gone if name not in renamed),
            renamed=renamed,
            added=tuple(name for name in new.values() if name not in renamed.values()),
            changed=tuple(name for name in now if name in before and now[name] != before[name]),
        )

    @property
    def sentence(self) -> str:
        """All of it, without the period; empty if nothing has changed."""
        done = join_words([*self._done()])
        return f"Another program {done}" if done else ""

    def _done(self) -> Iterator[str]:
        if self.removed:
            yield f"removed {_listed(*self.removed)} from the data sets"
        for old, new in self.renamed.items():
            yield f"renamed {_listed(old)} to {_listed(new)}"
        if self.added:
            yield f"added {_listed(*self.added)} to the data sets"
        if self.changed:
            yield f"changed {_listed(*self.changed)}"


def _listed(*names: str) -> str:
    return list_names(shorten(name, _MAX_NAME) for name in names)


class SetWatcher(QObject):
    """Looks every second whether the list was written, and what has changed in it since."""

    changed = Signal(object)
    """The ListChanges of another program. The project still has the data set that it had."""
    message = Signal(object)
    """A Message for the user."""

    def __init__(self, project: Project, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self._state, self._known, self._own = list_state(), registered_sets(), last_written()
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._look)

    def start(self) -> None:
        """Looks from now on."""
        self._timer.start()

    def close(self) -> None:
        """Looks no more."""
        self._timer.stop()

    def _look(self) -> None:
        state = list_state()
        if state == self._state:
            return
        self._state = state
        found = readable_sets()
        if found is None:
            # Damaged, not empty: nobody has removed the sets. Adding one says what is wrong.
            return
        own = last_written()
        # What the window itself has written, it has shown already.
        before = self._known if own is None or own is self._own else own
        self._own, self._known = own, found
        changes = ListChanges.between(before, self._known)
        if changes.sentence:
            self._follow(changes)

    def _follow(self, changes: ListChanges) -> None:
        self.changed.emit(changes)
        used, project = self._project.dataset_name, self._project
        if used in changes.removed:
            text = f"{changes.sentence}: choose other images to train on."
            self.message.emit(Message(text, is_error=True, holds=lambda: project.dataset_name == used))
            return
        self.message.emit(Message(f"{changes.sentence}."))
        if used in (*changes.renamed, *changes.changed):
            project.set_dataset(changes.renamed.get(used, used), None)

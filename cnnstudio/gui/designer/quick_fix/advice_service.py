"""The advice on the open design: computed after each edit, without what the user has dismissed.

Dismissals belong to a design's file but are stored in the window's settings, so that a design passed on to
others shows them all advice. Those for an unsaved design are kept until it is saved or closed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings

if TYPE_CHECKING:
    from cnnstudio.design.findings import Advice


class AdviceService(QObject):
    """The advice on a project's design. One per project; get it by `advice_service(project)`."""

    changed = Signal(object)
    """The advice now shown, a tuple; sent after an edit and after dismissing or restoring."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._project = project
        self._settings: Settings | None = None
        self._all: tuple[Advice, ...] = ()
        self._dismissed: frozenset[str] = frozenset()
        self._path = project.path
        self._by_node: dict[str | None, tuple[Advice, ...]] = {}
        # After an edit the layer list is drawn first; advice can wait for that.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._update)
        project.analysis_changed.connect(self._update_later)
        project.opening.connect(self._on_opening)
        project.file_changed.connect(self._on_file_changed)
        self._update_later()

    def use_settings(self, settings: Settings) -> None:
        """Stores the dismissals of saved designs in `settings` from now on."""
        self._settings = settings
        self._dismissed |= self._stored()

    @property
    def shown(self) -> tuple[Advice, ...]:
        """The advice that has not been dismissed, in the order of the layers."""
        return tuple(advice for advice in self._all if advice.key not in self._dismissed)

    @property
    def dismissed(self) -> tuple[Advice, ...]:
        """The advice that still applies but has been dismissed."""
        return tuple(advice for advice in self._all if advice.key in self._dismissed)

    def for_node(self, node_id: str | None) -> tuple[Advice, ...]:
        """The shown advice on one layer, or with None on the network as a whole."""
        return self._by_node.get(node_id, ())

    def dismiss(self, advice: Advice) -> None:
        """Stops showing this advice for this design."""
        self._set_dismissed(self._dismissed | {advice.key})

    def restore_dismissed(self) -> None:
        """Shows all dismissed advice of this design again."""
        self._set_dismissed(frozenset())

    def _update_later(self, *_: object) -> None:
        self._later.start(0)

    def _update(self) -> None:
        from cnnstudio.design.advice.advice import advise

        before, self._all = self._all, advise(self._project.analysis)
        if self._all != before:
            self._notify()

    def _set_dismissed(self, keys: frozenset[str]) -> None:
        self._dismissed = keys
        self._store()
        self._notify()

    def _notify(self) -> None:
        self._by_node = {}
        for advice in self.shown:
            self._by_node[advice.node_id] = (*self._by_node.get(advice.node_id, ()), advice)
        self.changed.emit(self.shown)

    # Files

    def _on_opening(self, path: object) -> None:
        self._path = path if isinstance(path, Path) else None
        self._dismissed = self._stored()
        self._all = ()
        self._notify()
        self._update_later()

    def _on_file_changed(self, path: object) -> None:
        if path != self._path:
            # Saved under a new name: the dismissals apply to the new file as well.
            self._path = path if isinstance(path, Path) else None
            self._store()

    def _stored(self) -> frozenset[str]:
        if self._settings is None or self._path is None:
            return frozenset()
        return frozenset(self._settings.text(_key(self._path)).split())

    def _store(self) -> None:
        if self._settings is None or self._path is None:
            return
        if self._dismissed:
            self._settings.set_text(_key(self._path), _join(self._dismissed))
        else:
            self._settings.remove(_key(self._path))


def advice_service(project: Project) -> AdviceService:
    """The advice service of this project; creates it on the first call."""
    return project.findChild(AdviceService) or AdviceService(project)


def _key(path: Path) -> str:
    # Keys in an INI file must not contain slashes, and paths can be long.
    return f"dismissed_advice/{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:16]}"


def _join(keys: Iterable[str]) -> str:
    return " ".join(sorted(keys))

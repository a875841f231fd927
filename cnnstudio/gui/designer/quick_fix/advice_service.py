"""The advice on the open design that is to be shown: worked out behind each edit, less what was dismissed.

Dismissals belong to the design's file but stand in the window's settings, so that a design that is passed on
brings no opinions along. Those on a design without a file are kept until it gets one, or goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings

if TYPE_CHECKING:
    from cnnstudio.design.findings import Advice


class AdviceDesk(QObject):
    """What is advised, and what the user does not want to hear. Get it by `advice_desk(project)`."""

    changed = Signal(object)
    """The advice that is shown now, a tuple; also sent where something was dismissed or brought back."""

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._project = project
        self._settings: Settings | None = None
        self._all: tuple[Advice, ...] = ()
        self._dismissed: frozenset[str] = frozenset()
        self._path = project.path
        self._by_node: dict[str | None, tuple[Advice, ...]] = {}
        # After an edit the list comes first; advice can wait until that is drawn.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._work_out)
        project.analysis_changed.connect(self._work_out_later)
        project.opening.connect(self._on_opening)
        project.file_changed.connect(self._on_file_changed)
        self._work_out_later()

    def remember_in(self, settings: Settings) -> None:
        """Keeps dismissals of designs with a file in `settings` from now on."""
        self._settings = settings
        self._dismissed |= self._stored()

    @property
    def shown(self) -> tuple[Advice, ...]:
        """What is advised and not dismissed, from the top of the list down."""
        return tuple(advice for advice in self._all if advice.key not in self._dismissed)

    @property
    def dismissed(self) -> tuple[Advice, ...]:
        """What would be advised, had the user not dismissed it."""
        return tuple(advice for advice in self._all if advice.key in self._dismissed)

    def of(self, node_id: str | None) -> tuple[Advice, ...]:
        """What is shown about one layer, or about the network as a whole for None."""
        return self._by_node.get(node_id, ())

    def dismiss(self, advice: Advice) -> None:
        """Shows this no more in this design."""
        self._set_dismissed(self._dismissed | {advice.key})

    def bring_back(self) -> None:
        """Shows again all that was dismissed in this design."""
        self._set_dismissed(frozenset())

    def _work_out_later(self, *_: object) -> None:
        self._later.start(0)

    def _work_out(self) -> None:
        from cnnstudio.design.advice.advice import advise

        before, self._all = self._all, advise(self._project.analysis)
        if self._all != before:
            self._tell()

    def _set_dismissed(self, keys: frozenset[str]) -> None:
        self._dismissed = keys
        self._store()
        self._tell()

    def _tell(self) -> None:
        self._by_node = {}
        for advice in self.shown:
            self._by_node[advice.node_id] = (*self._by_node.get(advice.node_id, ()), advice)
        self.changed.emit(self.shown)

    # Files

    def _on_opening(self, path: object) -> None:
        self._path = path if isinstance(path, Path) else None
        self._dismissed = self._stored()
        self._all = ()
        self._tell()
        self._work_out_later()

    def _on_file_changed(self, path: object) -> None:
        if isinstance(path, Path) and path != self._path:
            # Saved under a new name: what was dismissed goes with it.
            self._path = path
            self._store()

    def _stored(self) -> frozenset[str]:
        if self._settings is None or self._path is None:
            return frozenset()
        return frozenset(self._settings.text(_key(self._path)).split())

    def _store(self) -> None:
        if self._settings is None or self._path is None:
            return
        if self._dismissed:
            self._settings.set_text(_key(self._path), _joined(self._dismissed))
        else:
            self._settings.remove(_key(self._path))


def advice_desk(project: Project) -> AdviceDesk:
    """The one of this project."""
    return project.findChild(AdviceDesk) or AdviceDesk(project)


def _key(path: Path) -> str:
    # An INI file's key takes no slashes and ought to be short.
    return f"dismissed_advice/{hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]}"


def _joined(keys: Iterable[str]) -> str:
    return " ".join(sorted(keys))

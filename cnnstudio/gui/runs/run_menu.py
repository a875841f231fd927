"""The menu below the run on show: the newest runs, and what can be done with the one that is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QMenu, QPushButton

from cnnstudio.gui.runs.record import describe_date
from cnnstudio.gui.widgets.actions import ActionSet
from cnnstudio.gui.widgets.plain_text import plain_entry
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run, runs_folder

_COUNT = 10
_MAX_NAME = 60


class RunMenu(QMenu):
    """Filled anew each time it is opened."""

    def __init__(
        self, button: QPushButton, open_run: Callable[[Path], object], actions: ActionSet[Any]
    ) -> None:
        super().__init__(button)
        self._open_run = open_run
        self._actions = [
            actions[name] for name in ("actionOpenRun", "actionOpenRunDesign", "actionOpenRunFolder")
        ]
        self.aboutToShow.connect(self._fill)
        button.clicked.connect(lambda: self.popup(button.mapToGlobal(button.rect().bottomLeft())))

    def _fill(self) -> None:
        self.clear()
        for run in newest_runs(_COUNT):
            title = f"{run.name[:_MAX_NAME]} · {describe_date(run.created)}"
            action = self.addAction(plain_entry(title))
            action.triggered.connect(lambda _checked=False, folder=run.folder: self._open_run(folder))
        self.addSeparator()
        self.addActions(self._actions)


def newest_runs(count: int) -> list[Run]:
    """The newest runs of the default folder, newest first; those that cannot be read are left out."""
    try:
        folders = sorted(runs_folder().iterdir(), key=lambda folder: folder.name, reverse=True)
    except OSError:
        return []
    found: list[Run] = []
    for folder in folders[: 4 * count]:
        try:
            run = Run.open(folder)
            run.validate()
        except RunError:
            continue
        found.append(run)
        if len(found) == count:
            break
    return found

"""Offers class weights when a data set is chosen whose classes are far apart in size."""

from __future__ import annotations

import json

from PySide6.QtCore import QObject

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.sources import find_source
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.widgets.message_bar import Message, MessageBar
from cnnstudio.training.diagnosis.remedies import remedy

_DISMISSED = "training/classWeightsDismissed"
_MAX_REMEMBERED = 200
"""The most data sets whose offer was closed; the oldest ones are forgotten."""


class ClassWeightsOffer(QObject):
    """A note with a button, which is one undo step. Once closed, it does not come back for that data set."""

    def __init__(
        self, project: Project, message_bar: MessageBar, settings: Settings, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._project = project
        self._message_bar = message_bar
        self._settings = settings
        self.name = ""
        """The data set that was looked at last."""
        self._task: IoTask | None = None
        project.dataset_changed.connect(self._on_dataset_changed)
        project.recipe_changed.connect(message_bar.refresh)
        self._on_dataset_changed(project.dataset_name)

    @property
    def is_looking(self) -> bool:
        """Whether the sizes of the classes are being counted."""
        return self._task is not None

    def _on_dataset_changed(self, _: object) -> None:
        name = self._project.dataset_name
        if name == self.name:
            return
        self.name = name
        self._message_bar.refresh()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if not name or not self._is_wanted(name):
            return

        def look(progress: ProgressFunction, cancelled: CancelFunction) -> str:
            try:
                return find_source(name).unequal_sizes(cancelled)
            except UserError:
                return ""  # a folder that is gone, say, which its own card tells

        # A folder may have a million images or be on a slow drive.
        self._task = IoTask(look, self)
        self._task.done.connect(lambda text: self._show(name, str(text)))
        self._task.failed.connect(lambda _: self._show(name, ""))
        self._task.start()

    def _is_wanted(self, name: str) -> bool:
        is_unbalanced = self._project.recipe.class_weights == "none"
        return self._project.dataset_name == name and is_unbalanced and name not in self._dismissed()

    def _show(self, name: str, unequal: str) -> None:
        self._task = None
        found = remedy("class_sizes", self._project.recipe, self._project.network)
        if not unequal or found is None or not self._is_wanted(name):
            return
        self._message_bar.show_message(
            Message(
                f"{unequal}. With balanced class weights, all classes count the same in training.",
                button=found.label,
                action=lambda: self._project.set_recipe(found.apply_to(self._project.recipe)),
                is_note=True,
                holds=lambda: self._is_wanted(name),
                closed=lambda: self._remember(name),
            )
        )

    def _dismissed(self) -> list[str]:
        try:
            names = json.loads(self._settings.text(_DISMISSED, "[]"))
        except (ValueError, RecursionError):
            return []
        return [each for each in names if isinstance(each, str)] if isinstance(names, list) else []

    def _remember(self, name: str) -> None:
        names = [*(each for each in self._dismissed() if each != name), name][-_MAX_REMEMBERED:]
        self._settings.set_text(_DISMISSED, json.dumps(names))

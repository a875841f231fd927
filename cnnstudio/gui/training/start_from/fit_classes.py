"""Fits the last layer of a pretrained design to the classes of the data set that is chosen."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from cnnstudio.core.errors import UserError
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import Message


class FitClasses(QObject):
    """The last layer of pretrained weights has the classes of pretraining, which nobody wants.

    As on the command line it is changed without being asked for; here that is an undo step, and said. After
    an undo it stays as it was until another data set is chosen.
    """

    def __init__(self, project: Project, tell: Callable[[Message], object], parent: QObject) -> None:
        super().__init__(parent)
        self._project, self._tell = project, tell
        self._seen: tuple[str, int | None] = project.dataset_name, project.classes
        project.dataset_changed.connect(self._on_dataset_changed)

    def _on_dataset_changed(self, _: object) -> None:
        seen = self._project.dataset_name, self._project.classes
        if seen != self._seen:
            self._seen = seen
            # A step that changes the data set, such as one that is undone, has its own network.
            if not self._project.is_stepping:
                self._fit()

    def _fit(self) -> None:
        from cnnstudio.design.adaptation import adapt_to_classes

        project, classes = self._project, self._project.classes
        if classes is None or classes < 2 or project.network.weights is None:
            return
        try:
            network = adapt_to_classes(project.network, classes)
        except UserError:
            return  # the design has other problems, which its rows say
        if network == project.network:
            return
        text = f"fit the last layer to {classes:,} classes"
        project.edit(text, network, select=())
        self._tell(
            Message(
                f"The last layer has {classes:,} units now, one for each class of {project.dataset_title}.",
                # Beside an offer to change the input as well.
                is_note=True,
                holds=lambda: project.network is network,
            )
        )

"""Offers to enlarge small images less, where all layers of a pretrained network will learn."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from cnnstudio.design.network import Network
from cnnstudio.design.small_images import enlarge_less, enlarged_shape
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.layers.base import Shape


class EnlargeLessOffer(QObject):
    """The template enlarges images to what locked layers know, which takes three times as long."""

    def __init__(self, project: Project, tell: Callable[[Message], object], parent: QObject) -> None:
        super().__init__(parent)
        self._project, self._tell = project, tell
        self._is_due = self._would_help()
        project.network_changed.connect(self._on_changed)
        project.recipe_changed.connect(self._on_changed)

    def _smaller(self) -> Network | None:
        network, recipe = self._project.network, self._project.recipe
        # The template's own recipe never unlocks, so that the shape is looked for only where it matters.
        found = enlarge_less(network) if recipe.unlocks_all else network
        return None if found is network else found

    def _would_help(self) -> bool:
        return self._smaller() is not None

    def _on_changed(self, _: object) -> None:
        smaller = self._smaller()
        was_due, self._is_due = self._is_due, smaller is not None
        if smaller is None or was_due:
            return
        before, after = (_size(enlarged_shape(each)) for each in (self._project.network, smaller))
        self._tell(
            Message(
                f"The recipe {self._project.recipe.name} trains all layers. On images enlarged to {after} "
                f"instead of {before}, that takes a fraction of the time.",
                button=f"Enlarge to {after}",
                action=self._accept,
                is_note=True,
                holds=self._would_help,
            )
        )

    def _accept(self) -> None:
        smaller = self._smaller()
        if smaller is not None:
            self._project.edit("enlarge the images less", smaller)


def _size(shape: Shape | None) -> str:
    return "" if shape is None else f"{shape.height} × {shape.width}"

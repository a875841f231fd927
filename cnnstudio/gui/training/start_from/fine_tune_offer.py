"""Offers the recipe for unlocked layers, where the chosen one would destroy what they have learned."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.training.recipe.built_in import FEW_IMAGES, FINE_TUNE, MANY_IMAGES, PRETRAINED

_FOR_LAST_LAYERS = PRETRAINED, FEW_IMAGES, MANY_IMAGES
"""Their first stage has the learning rate of a layer that starts from random weights."""


class FineTuneOffer(QObject):
    """Unlocking layers is easy, and who then presses Train has a network that is worse than before.

    At the rate of a new last layer, the other ones forget what they know within an epoch.
    """

    def __init__(self, project: Project, tell: Callable[[Message], object], parent: QObject) -> None:
        super().__init__(parent)
        self._project, self._tell = project, tell
        self._is_due = self._fits_badly()
        project.analysis_changed.connect(self._on_changed)
        project.recipe_changed.connect(self._on_changed)

    def _fits_badly(self) -> bool:
        project = self._project
        is_pretrained = project.network.weights is not None
        return is_pretrained and project.recipe in _FOR_LAST_LAYERS and learns_below_the_end(project.analysis)

    def _on_changed(self, _: object) -> None:
        was_due, self._is_due = self._is_due, self._fits_badly()
        if not self._is_due or was_due:
            return
        name = self._project.recipe.name
        self._tell(
            Message(
                f"At the learning rate of the recipe {name}, unlocked layers lose what they have learned. "
                f"The recipe {FINE_TUNE.name} has a lower one. To go on from a last layer that is trained "
                "already, choose Train ▸ Start from last run’s weights… as well.",
                button=f"Use {FINE_TUNE.name}",
                action=self._accept,
                holds=self._fits_badly,
            )
        )

    def _accept(self) -> None:
        self._project.set_recipe(FINE_TUNE)


def learns_below_the_end(analysis: Analysis) -> bool:
    """Whether other layers than the last one with weights are trained."""
    with_weights = [
        report.node for report in analysis.reports if report.parameters and not report.node.children
    ]
    return bool(with_weights) and any(map(analysis.trainable_parameters_of, with_weights[:-1]))

"""The learning rate finder: the curve of the range test and the suggested rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.parameters import Number, parameters
from cnnstudio.core.progress import CancelFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.preflight.base_dialog import ComputeDialog
from cnnstudio.gui.training.preflight.lr_range_plot import LrRangePlot
from cnnstudio.gui.widgets.fields.numbers import NumberField
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.training.preflight.lr_range import LrRangeTest
from cnnstudio.training.recipe.recipe import UNNAMED, Recipe

_HELP = (
    "Runs 100 training steps on temporary weights while raising the learning rate. Pick a rate where the "
    "loss falls steeply: at lower rates it barely changes, at higher rates it rises."
)
_FIELD_WIDTH = 132


class LrRangeDialog(ComputeDialog):
    """Finds a learning rate for the project's recipe; using it is one undo step."""

    def __init__(
        self,
        project: Project,
        session: TrainingSession,
        parent: QWidget | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__("Find learning rate", _HELP, project, session, parent, weights)
        self.setObjectName("rateDialog")
        parameter = next(each for each in parameters(Recipe) if each.name == "learning_rate")
        assert isinstance(parameter, Number)
        self.plot = LrRangePlot()
        self.field = NumberField(parameter)
        self.field.setObjectName("foundRate")
        self.field.setAccessibleName("Learning rate to use")
        self.field.setFixedWidth(_FIELD_WIDTH)
        self._summary = Label("", "help", "secondary", wrap=True)
        self._summary.setObjectName("rateSummary")
        self.use_button.setText("Use this rate")
        self.use_button.setObjectName("useRate")
        self._rate = project.recipe.learning_rate
        self._fill()
        self.plot.rate_chosen.connect(self._on_line_moved)
        self.field.edited.connect(self._on_edited)
        self.use_button.clicked.connect(self._on_use)
        self.clear_result()

    def _fill(self) -> None:
        panel = Panel()
        layout = QVBoxLayout(panel)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.plot)
        row = QHBoxLayout()
        row.setSpacing(8)
        label = Label("Learning rate")
        label.setBuddy(self.field)
        row.addWidget(label)
        row.addWidget(self.field)
        row.addWidget(self._summary, 1)
        self.content.addWidget(panel, 1)
        self.content.addLayout(row)

    def compute(
        self,
        network: Network,
        dataset: Dataset,
        recipe: Recipe,
        report: Callable[[object], None],
        cancelled: CancelFunction,
    ) -> LrRangeTest:
        from cnnstudio.training.preflight.learning_rate_finder import find_learning_rate

        prepared = self.prepare(network, dataset, recipe, cancelled)
        return find_learning_rate(prepared, on_step=report, cancelled=cancelled)

    def show_progress(self, value: Any) -> tuple[int, int | None, str]:
        self.plot.show_test(value)
        done = len(value.rates)
        return done, value.steps, f"Learning rate {value.rates[-1]:.2g}, loss {value.losses[-1]:.3f}"

    def show_result(self, result: Any) -> None:
        self.plot.show_test(result)
        now = self.project.recipe.learning_rate
        if result.suggestion is None:
            summary = f"The loss does not fall at any of these rates. The recipe uses {now:g}."
        else:
            summary = (
                f"Suggested: {result.suggestion:g}. The loss falls between {result.lowest:.2g} and "
                f"{result.highest:.2g}; the recipe uses {now:g}."
            )
        self._summary.setText(summary)
        self.plot.setAccessibleDescription(summary)
        self.field.setEnabled(True)
        self._set_rate(result.suggestion or now)
        self.use_button.setEnabled(True)
        self.use_button.setFocus()

    def clear_result(self) -> None:
        self.plot.clear_test()
        self.field.set_value(self.project.recipe.learning_rate)
        self.field.setEnabled(False)
        self._summary.setText("")
        self.use_button.setEnabled(False)

    def _set_rate(self, rate: float) -> None:
        self._rate = rate
        self.field.set_value(rate)
        self.plot.show_rate(rate)

    def _on_line_moved(self, rate: object) -> None:
        assert isinstance(rate, float)
        self._rate = rate
        self.field.set_value(rate)

    def _on_edited(self, value: object) -> None:
        assert isinstance(value, float)
        self._rate = value
        self.plot.show_rate(value)

    def _on_use(self) -> None:
        recipe = self.project.recipe
        if self._rate != recipe.learning_rate:
            self.project.set_recipe(recipe.replace(learning_rate=self._rate, name=UNNAMED))
        self.accept()

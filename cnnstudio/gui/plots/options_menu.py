"""The menu with what is shown of the curves."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from cnnstudio.gui.plots.metrics import METRICS
from cnnstudio.gui.plots.options import CurveOptions

_SWITCHES = (
    ("log", "Log scale", "A logarithmic axis for loss, learning rate and gradient norm"),
    ("gap", "Overfitting gap", "Shade where validation is worse than training"),
    ("marks", "Marks", "Pauses, changes and the best epoch"),
    ("previous", "Previous run", "The run before this one on the same data"),
)
_CHOICES: tuple[tuple[str, tuple[tuple[object, str, str], ...]], ...] = (
    (
        "per_epoch",
        (
            (False, "Training: every step", "Faint single steps behind a smoothed line"),
            (True, "Training: mean of each epoch", "One value for each epoch, as Keras prints it"),
        ),
    ),
    (
        "align",
        (
            ("epochs", "Align runs by epoch", "Epoch 5 of one run is above epoch 5 of the others"),
            (
                "images",
                "Align runs by images seen",
                "Runs on more images per epoch are drawn longer",
            ),
        ),
    ),
)


class OptionsMenu(QMenu):
    """Checkable entries; it is filled again whenever it opens."""

    changed = Signal(object)
    """The CurveOptions that the user chose."""

    def __init__(self, options: Callable[[], CurveOptions], parent: QWidget) -> None:
        super().__init__(parent)
        self._options = options
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.refill)

    def refill(self) -> None:
        """Shows the present options."""
        self.clear()
        options = self._options()
        for metric in METRICS:
            changed = options.with_plot(metric.name, metric.name not in options.plots)
            action = self._add(metric.name, metric.title, metric.help, metric.name in options.plots, changed)
            # The last plot stays.
            action.setEnabled(changed != options)
        for name, entries in _CHOICES:
            self.addSeparator()
            group = QActionGroup(self)
            for value, title, tooltip in entries:
                is_chosen = getattr(options, name) == value
                action = self._add(
                    f"{name}_{value}", title, tooltip, is_chosen, options.replace(**{name: value})
                )
                group.addAction(action)
        self.addSeparator()
        for name, title, tooltip in _SWITCHES:
            is_on = bool(getattr(options, name))
            self._add(name, title, tooltip, is_on, options.replace(**{name: not is_on}))

    def _add(self, name: str, title: str, tooltip: str, checked: bool, options: CurveOptions) -> QAction:
        action = self.addAction(title)
        action.setObjectName(f"curves_{name}")
        action.setToolTip(tooltip)
        action.setCheckable(True)
        action.setChecked(checked)
        action.triggered.connect(lambda _=False: self.changed.emit(options))
        return action

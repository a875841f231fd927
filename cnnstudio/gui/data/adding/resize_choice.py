"""How images of another shape than most get the size that all images have."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox

from cnnstudio.data.dataset import RESIZE_MODES, ResizeMode

_TEXTS: dict[ResizeMode, str] = {
    "fill": "Crop to the center",
    "fit": "Pad with black",
    "stretch": "Stretch to the shape",
}
_HELP = "All images get the same size. Images that a trained network is tried on are resized in the same way."


class ResizeChoice(QComboBox):
    """One of the ways, by default the first."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("resizeMode")
        self.setAccessibleName("Images of another shape")
        self.setToolTip(_HELP)
        # In a small window, the column that it is in is narrower than its texts.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        for mode in RESIZE_MODES:
            self.addItem(_TEXTS[mode], mode)

    @property
    def mode(self) -> ResizeMode:
        """The chosen way."""
        return RESIZE_MODES[max(self.currentIndex(), 0)]

    def show_mode(self, mode: ResizeMode) -> None:
        """Chooses a way."""
        self.setCurrentIndex(RESIZE_MODES.index(mode))

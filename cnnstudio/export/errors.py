"""Errors of exports."""

from __future__ import annotations

from cnnstudio.core.errors import UserError


class ExportError(UserError):
    """An export that is not possible, such as to an unknown format or to a folder that is not writable."""


class ExportFailed(ExportError):
    """The model cannot be converted, or the exported one gives other results. No file was written."""


class ResultsDiffer(ExportFailed):
    """The exported model gives other results than the original. No file was written."""

    def __init__(self, message: str, largest: float, differing: int, images: int) -> None:
        super().__init__(message)
        self.largest = largest
        """The largest absolute difference of any logit."""
        self.differing = differing
        """The number of images with a difference that rounding does not explain."""
        self.images = images
        """The number of images that were compared."""

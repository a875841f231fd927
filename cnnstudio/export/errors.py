"""Exports that cannot be."""

from __future__ import annotations

from cnnstudio.core.errors import UserError


class ExportError(UserError):
    """An export that cannot be: a format that does not exist, a folder that cannot be written."""


class ExportFailed(ExportError):
    """The model could not be put into the format, or gives other answers there. No file was written."""

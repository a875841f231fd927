"""Errors of exports."""

from __future__ import annotations

from cnnstudio.core.errors import UserError


class ExportError(UserError):
    """An export that is not possible, such as to an unknown format or to a folder that is not writable."""


class ExportFailed(ExportError):
    """The model cannot be converted, or the exported one gives other results. No file was written."""

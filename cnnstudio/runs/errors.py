"""What can be wrong with a run folder."""

from __future__ import annotations

from cnnstudio.core.errors import UserError


class RunError(UserError):
    """A run that cannot be created, read or resumed; the message says why."""

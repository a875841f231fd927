"""What can be wrong with a search or a learning curve."""

from __future__ import annotations

from cnnstudio.core.errors import UserError


class SearchError(UserError):
    """A search that cannot be created, read or resumed; the message says why."""


class LearningCurveError(UserError):
    """A learning curve that cannot be measured; the message says why."""

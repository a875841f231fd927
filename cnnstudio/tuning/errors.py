"""What can be wrong with a search."""

from __future__ import annotations

from cnnstudio.core.errors import UserError


class SearchError(UserError):
    """A search that cannot be created, read or resumed; the message says why."""

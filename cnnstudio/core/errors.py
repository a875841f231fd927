"""Errors that a user may meet. Each message is one plain sentence: what was wrong, what would be right."""

from __future__ import annotations


class UserError(Exception):
    """The root: the command line prints it on one line and ends with 2, the window shows it."""


class ParameterError(UserError):
    """A value that a parameter does not take."""

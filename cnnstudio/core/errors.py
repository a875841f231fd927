"""Errors that users see. Each message is one plain sentence: what was wrong, and what would be right."""

from __future__ import annotations


class UserError(Exception):
    """The base class: the command line prints it on one line and exits with 2, the window shows it."""


class ParameterError(UserError):
    """A value that is not valid for a parameter."""

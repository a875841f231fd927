"""Keeps the name by which other programs know `create_window`."""

from cnnstudio.gui.shell.app import create_window

__all__ = ["create_window"]

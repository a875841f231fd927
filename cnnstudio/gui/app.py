"""The public location of `create_window`, which other programs import."""

from cnnstudio.gui.shell.app import create_window

__all__ = ["create_window"]

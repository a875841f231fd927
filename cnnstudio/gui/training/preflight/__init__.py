"""Dialogs that try a training out before it starts."""

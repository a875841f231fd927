"""Dialogs that measure a training before it starts."""

"""Saving a run and going back to it; handing weights to another design."""

"""Training in the window: toolbar, recipe, preflight dialogs, and messages about problems."""

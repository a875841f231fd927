"""The form of a recipe and the fields of the toolbar."""

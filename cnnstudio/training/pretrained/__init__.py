"""Starting from weights that were trained elsewhere."""

"""A run in one zip file, to hand it over: packed, checked and opened."""

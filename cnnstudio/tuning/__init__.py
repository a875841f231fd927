"""A search for better settings: what is varied, the folder in which it is kept, and how it goes on."""

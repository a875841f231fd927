"""The main window and what the program as a whole does."""

"""The table of runs: a panel over the window with all runs of the user."""

"""Commands that train a run again, to learn something from the comparison."""

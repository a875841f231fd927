"""Other people's code as layers."""

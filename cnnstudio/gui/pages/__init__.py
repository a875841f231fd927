"""The pages of the window, one file each, and what they share."""

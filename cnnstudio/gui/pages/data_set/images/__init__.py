"""The data set that is looked at: its images, their names, and their labels with the user's corrections."""

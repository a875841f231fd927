"""What is known of the chosen image and of the whole data set."""

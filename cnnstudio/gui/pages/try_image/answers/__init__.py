"""What the network of the run on show says to the images that are tried."""

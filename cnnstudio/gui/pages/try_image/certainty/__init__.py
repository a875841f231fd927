"""How sure the network is of the image that is tried: the threshold of “not sure”, and similar images."""

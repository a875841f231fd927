"""Tips on a network that can be trained but could learn better."""

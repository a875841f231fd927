"""The review queue: images that are looked at one by one, to set their labels or to exclude them."""

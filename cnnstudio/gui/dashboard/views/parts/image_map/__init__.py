"""A map of images: how its points are grouped, where they are, how they are painted and chosen."""

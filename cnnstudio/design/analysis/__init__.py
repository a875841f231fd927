"""Shape inference, costs and problems of a network."""

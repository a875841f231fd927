"""The plot area: axes, lines, and what is painted over them."""

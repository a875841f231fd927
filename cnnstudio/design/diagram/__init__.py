"""The network as a drawing: layout, shapes, SVG."""

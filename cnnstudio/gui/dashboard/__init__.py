"""The dashboard of a run: learning curves, feature maps, timeline."""

"""What can be seen of a training: curves, feature maps, the timeline."""

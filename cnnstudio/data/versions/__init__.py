"""Which images with which labels, and in which split: what a result on a data set refers to."""

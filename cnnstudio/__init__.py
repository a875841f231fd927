"""CNN Studio: draw a convolutional network, train it, watch it learn, take it away."""

__version__ = "0.1.0"

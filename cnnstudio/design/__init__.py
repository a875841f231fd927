"""The network as drawn: immutable values and pure functions on them. Needs neither torch nor Qt."""

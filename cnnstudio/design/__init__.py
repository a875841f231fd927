"""The design of a network: immutable values and pure functions on them. Needs neither torch nor Qt."""

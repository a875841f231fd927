"""What a layer is, and one file per layer type. Importing this package needs neither torch nor Qt."""

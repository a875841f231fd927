"""Where the network is drawn: palette, layer list and inspector, all on one project."""

"""What turns the nodes of a graph into layers, by the kinds of nodes."""

"""The confusion matrix: what it shows, where its cells are, how they are drawn, and the widget."""

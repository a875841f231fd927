"""Keys of views and mouse gestures, which belong to no menu."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gesture:
    """One thing to do with a key or the mouse."""

    title: str
    how: str
    where: str = ""
    """Empty for the whole window."""


GESTURES: dict[str, tuple[Gesture, ...]] = {
    "Keys in views": (
        Gesture("One epoch earlier or later", "←, →", "unless the focus is in a list or view that uses them"),
        Gesture("First epoch, end of the run", "Home, End", "as above"),
        Gesture("Play the epochs", "Space", "as above"),
        Gesture("Follow the training", "L", "as above"),
        Gesture("Insert a layer by typing it", "Insert", "in the layer list"),
        Gesture("Move between cells, maps or images", "Arrow keys", "in a matrix, in maps, in images"),
        Gesture("Open or enlarge", "Enter", "in a matrix, in maps, in the list of runs"),
        Gesture("Go back one level", "Esc", "in views and lists"),
        Gesture("Go to the next image", "Arrow keys", "in the embedding"),
        Gesture("Show the nearest training images", "N, or a click on one", "in misclassified images"),
        Gesture(
            "Move the threshold of “not sure”",
            "Arrow keys, Page up, Page down",
            "in its curve, on the Use page",
        ),
        Gesture("Choose an image, or not", "Space; Shift+arrow adds the next", "in the embedding"),
        Gesture("Choose all images", "Ctrl+A", "in the embedding"),
        Gesture("Zoom", "+, −; 0 shows the whole", "in the embedding, in a large matrix"),
        Gesture("Choose a run", "Space", "in the list of runs"),
        Gesture("Filter the runs", "/", "in the list of runs"),
        Gesture("Rename a run", "F2", "in the list of runs"),
        Gesture("Undo deleting runs", "Ctrl+Z", "in the list of runs, for some seconds"),
    ),
    "Mouse": (
        Gesture("Open files and folders", "Drop them", "anywhere in the window"),
        Gesture("Add a layer", "Drag it into the list", "from the palette"),
        Gesture("Move layers", "Drag", "in the layer list"),
        Gesture("Rename a layer", "Double-click its name", "in the layer list"),
        Gesture("Show a layer’s commands", "Right-click", "in the layer list"),
        Gesture("Zoom into curves", "Drag, or turn the wheel", "in curves"),
        Gesture("Show the whole run again", "Double-click", "in curves"),
        Gesture("Hide or show a line", "Click its name", "in the legend of curves"),
        Gesture("Copy or save a plot", "Right-click", "in curves"),
        Gesture("Look at another epoch", "Click or drag", "on the timeline"),
        Gesture("Enlarge a feature map", "Click", "in maps"),
        Gesture("Zoom maps", "Ctrl and wheel", "in maps"),
        Gesture("Choose images", "Draw around; Shift +, Ctrl −", "in the embedding"),
        Gesture("Zoom the embedding", "Wheel", "in the embedding"),
        Gesture("Hide or show a class", "Click; double-click: it alone", "in its legend"),
        Gesture("Show one class alone", "Click its name", "on the Data page"),
        Gesture("Show a run", "Double-click", "in the list of runs"),
        Gesture("Sort the runs", "Click the head of a column", "in the list of runs"),
    ),
}
"""By heading, in the order in which they are listed."""

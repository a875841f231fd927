"""The training in the window: the thread it runs on, the buttons and the progress."""

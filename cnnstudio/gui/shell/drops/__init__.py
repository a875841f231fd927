"""Opening files and folders of any kind, dropped on the window or chosen: what they are, and what is done."""

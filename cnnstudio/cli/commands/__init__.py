"""One command, one file. A new file with a subclass of `Command` is a new command."""

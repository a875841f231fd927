"""One file per command: a file with a subclass of `Command` is a command of `cnnstudio`."""

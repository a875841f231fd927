"""The network as a list, edited by mouse and keyboard."""

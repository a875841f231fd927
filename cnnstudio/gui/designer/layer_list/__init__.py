"""The network as a list that is edited by mouse and keys."""

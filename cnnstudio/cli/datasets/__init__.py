"""What the actions of `cnnstudio data` print and do, one file for each kind."""

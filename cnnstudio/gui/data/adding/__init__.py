"""The page that says what dropped images were understood to be, before they are added."""

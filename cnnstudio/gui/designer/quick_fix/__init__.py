"""Problems and tips with their fixes, and what a fix would change."""

"""Problems of a training, recognized from its events, and remedies."""

"""The locked beginning of a network: computed once per image, as fast as it goes, and kept on disk."""

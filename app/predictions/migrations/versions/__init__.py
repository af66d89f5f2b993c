"""One migration per module, in order."""

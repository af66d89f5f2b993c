"""The documentation does what it says: its commands exist, and its pages can be followed from top to bottom."""

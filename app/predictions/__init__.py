"""Predictions in a database: made in batches beforehand, read when they are needed."""

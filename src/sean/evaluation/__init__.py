"""Measuring models: image metrics, and scores of a model on held-out pairs."""

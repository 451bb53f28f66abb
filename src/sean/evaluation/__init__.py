"""Evaluation of models on held-out pairs: metrics of pictures, distances of sets of pictures, reports."""

"""Training data: paired folders, their geometry, checks, synthetic scenes, and batches in a fixed order."""

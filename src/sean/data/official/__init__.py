"""Preparation of official downloads as paired folders: one file per data set, and the run that they share."""

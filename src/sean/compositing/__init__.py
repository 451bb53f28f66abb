"""Edited pictures put into photos: the photo keeps its detail, a region takes a new colour or a new shape."""

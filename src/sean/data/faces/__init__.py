"""Drawn faces: label maps with the labels, proportions and framing of CelebAMask-HQ, made by code."""

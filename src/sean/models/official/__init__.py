"""Importing the published networks of SEAN, SPADE and pix2pixHD: the authors' checkpoints to our models.

Only tensors are read, and sizes are inferred from them.
"""

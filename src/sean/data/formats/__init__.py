"""Conversion between data folders and the formats of annotation tools and data sets: one file per family of formats."""

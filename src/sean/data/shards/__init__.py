"""Tar shards of a data folder: index, writing, and reading from a folder or a url."""

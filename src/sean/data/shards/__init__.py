"""Tar shards of a data folder: their index, writing them, and reading them from a folder or a url."""

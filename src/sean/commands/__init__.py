"""The commands: one typed function each, whose docstring is the command's help. `sean.cli` has their names."""

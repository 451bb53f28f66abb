"""What the commands do: one typed function each. Its docstring is the command's help; `sean.cli` only names them."""

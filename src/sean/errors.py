"""The one exception for a user's own mistake: the command line turns it into one line and exit code 2."""


class InputError(ValueError):
    """Bad input. The message is one line: what was expected, what came, in which file, what to do."""

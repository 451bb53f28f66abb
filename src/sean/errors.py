"""Errors and warnings that the command line reports in one line instead of a traceback."""


class InputError(ValueError):
    """Bad input. The message is one line: what was expected, what came, in which file, what to do. Exit code 2.

    Args:
        message: for the user; line breaks and other control characters, which come with names from files, are escaped.
        setting: the parameter that the message is about, by its name in Python; the command line adds its option.
    """

    def __init__(self, message: str = "", *, setting: str | None = None) -> None:
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message))
        self.setting = setting


class Interrupted(Exception):
    """A signal stopped a long computation, which has saved its results so far. The message says how to continue.

    Args:
        message: one line.
        setting: see `InputError`.
        signal: the signal's number; the exit code is 128 more, as in the shell.
    """

    def __init__(self, message: str, signal: int, *, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting
        self.exit_code = 128 + signal


class Replaced(FutureWarning):
    """A name that has another meaning now, or soon none."""

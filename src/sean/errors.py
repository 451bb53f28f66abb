"""What the command line turns into one line and an exit code instead of a traceback."""


class InputError(ValueError):
    """Bad input. The message is one line: what was expected, what came, in which file, what to do. Exit code 2."""


class Interrupted(Exception):
    """Long work was asked to stop by a signal, and has saved what it had. The message says where to go on.

    Args:
        message: one line.
        signal: the signal's number; the exit code is 128 more, as the shell has it.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal

"""Signals that ask a training to stop: Ctrl-C; SIGTERM, as schedulers send it before they take a machine away; and
SIGHUP, as a terminal that closes sends it."""

import signal
import threading
from types import FrameType, TracebackType

from sean.data.loader import STOPPING_SIGNALS

# A job in the background of a script ignores Ctrl-C from the start; who sends it SIGINT all the same means it.
_ALWAYS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Context manager that takes note of the signals, for the loop to look at between steps.

    A second signal interrupts at once. A SIGHUP that is ignored from the start, as under nohup, stays ignored.

    Attributes:
        signal: the number of the signal that came, or 0.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():  # Python allows handlers there only
            for number in STOPPING_SIGNALS:
                if number in _ALWAYS or signal.getsignal(number) is not signal.SIG_IGN:
                    self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number

"""Signals that stop a training: SIGINT (Ctrl-C), SIGTERM (sent by schedulers), SIGHUP (sent by a closing terminal)."""

import signal
import threading
from types import FrameType, TracebackType

from sean.data.loader import STOPPING_SIGNALS

# A background job of a script ignores Ctrl-C from the start; an explicit SIGINT must still stop it.
_ALWAYS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Context manager that records signals, which the loop checks between steps.

    A second signal interrupts at once. A SIGHUP that is ignored from the start, as under nohup, stays ignored.

    Attributes:
        signal: number of the received signal, or 0.
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

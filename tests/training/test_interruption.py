"""Signals: noted once, at once the second time, and handed back afterwards."""

import os
import signal

import pytest

from sean.training.interruption import Interruption


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_the_second_interrupts(number: int) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert interruption.signal == 0
        os.kill(os.getpid(), number)
        assert interruption.signal == number
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before

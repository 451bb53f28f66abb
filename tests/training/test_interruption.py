"""Signals: noted once, at once the second time, and handed back afterwards."""

import os
import signal

import pytest

from sean.training.training import Interruption

HANGUP = [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []  # Windows knows none


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, *HANGUP])
def test_a_signal_is_noted_and_the_second_interrupts(number: int, attended: None) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert interruption.signal == 0
        os.kill(os.getpid(), number)
        assert interruption.signal == number
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", HANGUP)
def test_under_nohup_a_hangup_stays_ignored(number: int, attended: None) -> None:
    signal.signal(number, signal.SIG_IGN)
    with Interruption() as interruption:
        os.kill(os.getpid(), number)
        assert interruption.signal == 0
    assert signal.getsignal(number) is signal.SIG_IGN


def test_a_job_in_the_background_can_be_interrupted(attended: None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.signal == signal.SIGINT

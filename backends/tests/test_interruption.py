"""Ctrl-C that arrives where Python drops exceptions."""

import contextlib
import signal

import pytest
from medsam_backends.cohort.interruption import Interruption


def test_an_interruption_that_was_swallowed_is_raised_at_the_next_check() -> None:
    former = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        interruption.check()
        with contextlib.suppress(KeyboardInterrupt):  # as in a finaliser
            signal.raise_signal(signal.SIGINT)
        interruption.check()
        raise AssertionError("the interruption is lost")
    assert signal.getsignal(signal.SIGINT) is former


def test_an_interruption_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), Interruption():
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the interruption is late")

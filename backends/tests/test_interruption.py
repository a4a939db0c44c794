"""Ctrl-C that arrives where Python drops exceptions."""

import os
import signal

import pytest
from medsam_backends.cohort.interruption import Interruption


class Finalised:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # the signal is handled within this method
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process on Windows")
def test_an_interruption_swallowed_by_a_finaliser_is_raised_at_the_next_check() -> None:
    former = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        interruption.check()
        Finalised()  # ends here
        interruption.check()
        raise AssertionError("the interruption is lost")
    assert signal.getsignal(signal.SIGINT) is former


def test_an_interruption_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), Interruption():
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the interruption is late")

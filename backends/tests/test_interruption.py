"""Ctrl-C that arrives where Python drops exceptions, in a process of its own: no signal may reach the tests' own."""

import os
import subprocess
import sys
from pathlib import Path

_BEGIN = """
import signal
from medsam_backends.cohort.interruption import Interruption

class Finalised:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start tests with it ignored
try:
    with Interruption() as interruption:
        interruption.check()
"""
_END = """
        print("the end")
except KeyboardInterrupt:
    print("raised", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def run(*lines: str) -> tuple[list[str], str]:
    """What a program that runs `lines` within an interruption says, and what it complains of."""
    program = _BEGIN + "".join(f"        {line}\n" for line in lines) + _END
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def test_an_interruption_swallowed_by_a_finaliser_is_raised_at_the_next_check() -> None:
    said, told = run("Finalised()", "print('goes on')", "interruption.check()")
    assert said == ["goes on", "raised True"]
    assert "Exception ignored in: <function Finalised.__del__" in told


def test_an_interruption_is_raised_at_once() -> None:
    assert run("signal.raise_signal(signal.SIGINT)") == (["raised True"], "")


def test_without_an_interruption_nothing_is_raised() -> None:
    assert run("interruption.check()") == (["the end"], "")


def test_ctrl_c_during_the_first_imports_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "medsam_backends", "--help"]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    assert (done.returncode, done.stderr) == (130, "Cancelled: nothing was written.\n")

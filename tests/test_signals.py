"""Signals become an exception once, wherever in the program they come."""

import subprocess
import sys

CALLBACK = """
import os, signal, sys, time, weakref
from kwdag.signals import Interrupted, stopping

class Thing: pass

def signal_oneself(_):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.001)  # the handler has run

hook = sys.unraisablehook
try:
    with stopping():
        thing = Thing()
        reference = weakref.ref(thing, signal_oneself)
        del thing
        print("goes on")
        time.sleep(20)
except Interrupted as stop:
    print(stop.signum, sys.unraisablehook is hook)
"""

OF_THE_USER = """
from kwdag.signals import stopping

class Thing:
    def __del__(self):
        raise ValueError("of the user's")

with stopping():
    Thing()
"""


def python(code):
    """In a process of its own: one that was stopped ignores signals from then on."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_a_signal_where_python_ignores_exceptions_stops_all_the_same():
    done = python(CALLBACK)
    assert (done.returncode, done.stdout, done.stderr) == (0, "goes on\n15 True\n", "")


def test_what_else_python_ignores_is_told_as_ever():
    done = python(OF_THE_USER)
    assert done.returncode == 0 and "ValueError: of the user's" in done.stderr

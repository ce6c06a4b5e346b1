"""Work in several processes: the order of results, what is raised, and what a killed process ends in."""

import multiprocessing
import os
import signal
import time

import pytest

from pipelines.errors import BadInput
from pipelines.processes import each


def slower_first(number: int) -> int:
    time.sleep(0.2 if number == 0 else 0)
    return number**2


def odd_only(number: int) -> int:
    if number % 2 == 0:
        raise BadInput(f"{number} is even")
    return number


def killed(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [0, 1, 2, 9])
def test_results_come_in_the_order_of_the_items(workers):
    assert each(slower_first, range(4), workers, "squares", "number") == [0, 1, 4, 9]
    assert each(slower_first, [], workers, "squares", "number") == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_work_raises_comes_through(workers):
    with pytest.raises(BadInput, match="2 is even"):
        each(odd_only, [1, 2, 3], workers, "odd", "number")
    assert not multiprocessing.active_children()


def test_a_killed_process_is_bad_input_that_says_what_to_do():
    with pytest.raises(BadInput, match="was killed") as raised:
        each(killed, [1, 2], 2, "deadly", "number")
    assert "--workers" in str(raised.value)
    assert not multiprocessing.active_children()

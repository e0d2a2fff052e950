import os
import signal
import sys

import pytest

from chitty.ending import Afterwards


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_work_is_done_though_a_signal_arrives_just_as_it_is_to_begin(number):
    """The interpreter runs handlers as a function begins, before anything in it."""
    done: list[str] = []
    sent = []

    def send(frame, event, _argument):
        if event == "call" and frame.f_code is Afterwards.__exit__.__code__ and not sent:
            sent.append(number)
            os.kill(os.getpid(), number)

    former, profile = signal.getsignal(number), sys.getprofile()
    try:
        with pytest.raises(KeyboardInterrupt), Afterwards(lambda: done.append("work"), lambda: done.append("hurry")):
            sys.setprofile(send)
    finally:
        sys.setprofile(profile)
    assert (sent, done) == ([number], ["work"])
    assert signal.getsignal(number) is former


def interrupted(done: list[str]) -> None:
    with Afterwards(lambda: done.append("work"), lambda: done.append("hurry")):
        os.kill(os.getpid(), signal.SIGINT)
        done.append("went on")


def test_a_signal_within_interrupts_it_and_the_work_is_done():
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(done)
    assert done == ["work"]


def test_a_signal_within_work_of_another_one_interrupts_it():
    """The end of the outer one has begun, that of the inner one has not."""
    done: list[str] = []

    def work():
        with pytest.raises(KeyboardInterrupt):
            interrupted(done)

    Afterwards(work, lambda: None).do()
    assert done == ["work"]

import io
import logging

import pytest

from shared import logs

SECRET = "a secret that a visitor typed"


@pytest.fixture
def handler():
    """A handler of the log and what it has written."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logs.Formatter("%(levelname)s %(message)s"))
    logs.log.addHandler(handler)
    level, logs.log.level = logs.log.level, logging.INFO
    yield handler.stream.getvalue
    logs.log.removeHandler(handler)
    logs.log.setLevel(level)


def fail():
    try:
        int(SECRET)
    except ValueError as error:
        raise ExceptionGroup(SECRET, [KeyError(SECRET)]) from error


def test_an_error_is_logged_with_its_place_and_its_causes_but_without_messages(handler):
    try:
        fail()
    except ExceptionGroup:
        logs.log_error()
        logs.log.exception("It failed.")
    written = handler()
    assert SECRET not in written
    for kind in ("ExceptionGroup", "KeyError", "ValueError"):
        assert written.count(kind) >= 2
    assert "in fail" in written and "test_logs.py" in written


def test_an_error_of_a_loop_is_logged_without_its_message(handler):
    logs.log_loop_error(None, {"message": "Never retrieved", "exception": ValueError(SECRET)})
    logs.log_loop_error(None, {"message": "Closed twice"})
    assert SECRET not in handler()
    assert "ValueError" in handler() and "Closed twice" in handler()

import sys
from dataclasses import dataclass

import numpy as np
import pytest

from shared import limits
from shared.site import sessions


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Limits that few sessions reach."""
    monkeypatch.setattr(limits, "SESSIONS", 4)
    monkeypatch.setattr(limits, "SESSION_BYTES", 1000)
    monkeypatch.setattr(limits, "SESSION_BYTES_PER_VISITOR", 600)


def test_sessions_that_are_few_and_small_stay():
    held = {"a": ("one", 300), "b": ("two", 0), "c": ("one", 300), "d": ("two", 400)}
    assert sessions.choose_evicted(held, "d") is None


def test_of_too_many_sessions_one_without_content_goes_first():
    held = {"a": ("one", 1), "b": ("one", 1), "c": ("two", 0), "d": ("one", 1), "e": ("one", 0)}
    assert sessions.choose_evicted(held, "e") == "c"
    assert sessions.choose_evicted(held, "c") == "e"


def test_who_opens_most_pages_loses_the_oldest():
    held = {"a": ("two", 1), "b": ("one", 1), "c": ("one", 1), "d": ("one", 1), "e": ("two", 1)}
    assert sessions.choose_evicted(held, "e") == "b"
    assert sessions.choose_evicted(held, "b") == "c"


def test_who_holds_most_bytes_loses_the_oldest_page():
    held = {"a": ("two", 300), "b": ("one", 10), "c": ("one", 500), "d": ("two", 200)}
    assert sessions.choose_evicted(held, "d") == "b"
    assert sessions.choose_evicted({"a": ("one", 2000)}, "a") is None


def test_a_visitor_has_a_share_of_the_bytes():
    held = {"a": ("two", 10), "b": ("one", 300), "c": ("one", 301)}
    assert sessions.choose_evicted(held, "c") == "b"
    assert sessions.choose_evicted(held, "a") is None
    assert sessions.choose_evicted({"c": ("one", 700)}, "c") is None


def test_the_bytes_of_arrays_and_texts_are_counted_wherever_they_are():
    @dataclass
    class Own:
        arrays: dict
        names: tuple

    array = np.zeros((100, 10))
    own = Own({"a": array, "b": [array]}, ("x" * 5000,))
    assert 21_000 < sessions.count_bytes(own) < 22_500
    assert sessions.count_bytes(None) == sys.getsizeof(None)


def test_what_is_given_at_every_look_is_selected_after_the_time(monkeypatch):
    now, ages = [100.0], sessions.Ages()
    monkeypatch.setattr(sessions.time, "monotonic", lambda: now[0])
    assert ages.select(["a", "b"], 60) == []
    now[0] += 30
    assert ages.select(["a", "c"], 60) == []
    now[0] += 30
    assert ages.select(["a", "b", "c"], 60) == ["a"]

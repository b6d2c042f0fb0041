"""Many visitors at once, for a minute: the short form of `python -m benchmarks.soak`."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from benchmarks.site import ASKED
from benchmarks.soak import BESIDE, soak


def test_a_crowd_of_visitors_gets_every_answer_to_its_own_question(site):
    with ThreadPoolExecutor(1) as pool:  # the browser's tests have a loop in this thread
        found = pool.submit(asyncio.run, soak(site, clients=24, seconds=60)).result()
    assert found["wrong"] == {}
    # Nobody is starved: each visitor got an answer, and each page gave some.
    assert found["fewest_of_a_client"] > 0
    assert set(found["answers_by_page"]) == {*ASKED, *BESIDE}
    # Memory is left to the command: for its first minutes a site still compiles what is asked.
    assert found["left"] > 0

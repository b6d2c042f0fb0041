"""Many visitors for one minute: the short form of `python -m benchmarks.soak`."""

from benchmarks.site import QUERIES
from benchmarks.soak import LONG_QUERIES, soak
from tests import coroutines


def test_every_one_of_many_visitors_gets_the_answers_to_their_own_queries(site):
    figures = coroutines.run(soak(site, clients=24, seconds=60))
    assert figures["errors"] == {}
    # Every visitor gets an answer, and every page gives some.
    assert figures["fewest_answers_of_a_client"] > 0
    assert set(figures["answers_by_page"]) == {*QUERIES, *LONG_QUERIES}
    # Memory is checked by the command only: in its first minutes the site still compiles graphs.
    assert figures["abandoned"] > 0

import pytest

from benchmarks import soak


@pytest.mark.parametrize(
    ("figures", "fragment"),
    [
        ({}, ""),
        ({"megabytes_late": 1_060}, "5 %"),
        ({"errors": {"/ask: answer to another query": 2}}, "2 times: /ask"),
        ({"turns": {"batches": {"ratio": 2.9}}}, ""),
        ({"turns": {"batches": {"ratio": 3.1}}}, "Short batches take 3.1 times as long"),
    ],
)
def test_lost_answers_and_growing_memory_are_failures(figures, fragment):
    good = {"errors": {}, "megabytes_early": 1_000, "megabytes_late": 1_040}
    failures = "\n".join(soak.find_failures(good | figures))
    assert fragment in failures
    assert bool(failures) == bool(fragment)

import pytest

from benchmarks import soak


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        ({}, ""),
        ({"megabytes_late": 1_060}, "grew by more than 5 %"),
        ({"wrong": {"/ask: another's answer": 2}}, "2 times /ask: another's answer."),
    ],
)
def test_a_lost_answer_or_grown_memory_is_a_complaint(figures, sentence):
    sound = {"wrong": {}, "megabytes_early": 1_000, "megabytes_late": 1_040}
    found = "\n".join(soak.complaints(sound | figures))
    assert sentence in found
    assert bool(found) == bool(sentence)

"""The benchmarks that can run in a test, each timed once."""

import json
from functools import partial

from typer.testing import CliRunner

from benchmarks import analogies, vqa
from tests.training.test_analogies import made_up


def run(benchmark, monkeypatch, *arguments):
    """The figures that a benchmark's command prints."""
    monkeypatch.setattr(benchmark, "measure", partial(benchmark.measure, repeats=1))
    result = CliRunner().invoke(benchmark.app, ["--json", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_analogies_are_timed_and_both_libraries_learn_a_text(tmp_path, monkeypatch):
    text = tmp_path / "mine.txt"
    text.write_text(made_up(400))
    figures = run(analogies, monkeypatch, "--text", text)
    assert figures["analogy_3CosAdd"] > 0
    assert figures["gensim_most_similar"] > 0
    for name in ("skipgram", "gensim_skipgram", "cbow", "gensim_cbow"):
        assert abs(figures[f"{name}_quality"]) < 1
        assert figures[f"{name}_seconds"] > 0


def test_answers_to_questions_are_timed_and_equal_those_of_keras(monkeypatch):
    figures = run(vqa, monkeypatch)
    assert figures["the same answers"] is True
    assert figures["predict / ours"] > 0

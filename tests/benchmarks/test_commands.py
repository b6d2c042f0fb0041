"""Benchmarks that the README names, each timed once."""

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


def test_analogies_are_timed_and_a_text_is_learned_by_both(tmp_path, monkeypatch):
    text = tmp_path / "mine.txt"
    text.write_text(made_up(400))
    found = run(analogies, monkeypatch, "--text", text)
    assert found["analogy_3CosAdd"] > 0 and found["gensim_most_similar"] > 0
    for name in ("skipgram", "gensim_skipgram", "cbow", "gensim_cbow"):
        assert abs(found[f"{name}_quality"]) < 1 and found[f"{name}_seconds"] > 0


def test_answers_to_questions_are_timed_and_are_those_of_keras(monkeypatch):
    found = run(vqa, monkeypatch)
    assert found["the same answers"] is True
    assert found["predict / ours"] > 0

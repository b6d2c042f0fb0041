import json

from benchmarks import record


def test_figures_are_named_by_their_path():
    figures = {
        "version": "1.0",
        "up": 2,
        "one": {"p50_ms": 1.5, "good": True},
        "rows": [{"cell": "gru", "units": 3, "ms": {"ours": 0.25, "theirs": 0.5}, "ratio": 2.0}],
    }
    assert record.flatten(figures) == {
        "up": 2.0,
        "one p50_ms": 1.5,
        "rows cell=gru units=3 ms ours": 0.25,
        "rows cell=gru units=3 ms theirs": 0.5,
        "rows cell=gru units=3 ratio": 2.0,
    }


def test_a_run_is_compared_with_the_record_and_replaces_it_on_request(
    tmp_path, monkeypatch, capsys
):
    path = tmp_path / "recorded.json"
    path.write_text(json.dumps({"site": {"date": "2026-11-01", "figures": {"a ms": 4.0}}}))
    monkeypatch.setattr(record, "RECORD", path)
    monkeypatch.setattr(record, "measure", lambda name: {"a ms": 6.0, "b ms": 1.0})
    record.main(["site"])
    title, first, second = capsys.readouterr().out.strip().splitlines()
    assert "recorded 2026-11-01" in title
    assert first.split() == ["a", "ms", "6", "4", "1.50", "×"]
    assert second.split() == ["b", "ms", "1", "new"]
    assert json.loads(path.read_text())["site"]["figures"] == {"a ms": 4.0}
    record.main(["site"], save=True)
    assert json.loads(path.read_text())["site"]["figures"] == {"a ms": 6.0, "b ms": 1.0}


def test_the_record_holds_only_existing_benchmarks():
    for name, run in json.loads(record.RECORD.read_text()).items():
        assert name in record.BENCHMARKS
        assert run["date"] >= "2026-11-21"
        assert all(isinstance(value, float) for value in run["figures"].values())

import gradio as gr
import pytest
from markupsafe import Markup

from apps.about import tab, views
from apps.forecasting import yahoo
from apps.vqa import predictor as vqa
from shared import bundle
from shared.site import sessions, storage


@pytest.mark.parametrize(
    ("topic", "fragment"),
    [
        ("Texts and photos", f"{sessions.SESSION_TTL_SECONDS // 60} minutes"),
        ("Features of photos", f"last {vqa.MAX_CACHED_PHOTOS} photos"),
        ("Answers through the API", f"{sessions.ANSWER_TTL_SECONDS // 60} minutes"),
        ("Prices of a ticker", {7: "seven days"}[yahoo.CACHE_DAYS]),
        ("Files", {True: "within an hour"}[storage.FILE_TTL_SECONDS < 3600]),
    ],
)
def test_retention_rules_match_the_constants_of_the_code(topic, fragment):
    assert fragment in dict(views.RETENTION)[topic]


def test_every_guide_exists():
    root = bundle.MODELS.parent
    assert all((root / path).exists() for path, _ in views.GUIDES)


def test_a_damaged_card_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "card.json").write_text("{")
    monkeypatch.setattr(bundle, "MODELS", tmp_path)
    assert tab.read_cards() == []


def test_texts_of_a_card_are_escaped():
    card = {
        "title": "<b>mine</b>",
        "data": "my data",
        "date": "2026-11-30",
        "seed": 0,
        "commit": None,
        "licence": "mine",
        "limits": ["few & small"],
        "variants": {"lstm": {"command": "train"}, "gru": {"command": "train"}},
    }
    html = views.card_summary(card)
    assert isinstance(html, Markup)
    assert "&lt;b&gt;mine" in html
    assert "few &amp; small" in html
    assert html.count("train</code>") == 1  # a command that two variants share is shown once


def test_the_page_builds_with_a_table_for_every_application():
    with gr.Blocks() as site:
        tab.build(None, None)
    html = "".join(str(block.value) for block in site.blocks.values() if hasattr(block, "value"))
    for title in ("Sentiment", "NB-weighted", "GARCH(1,1)", "PPMI", "Yahoo Finance"):
        assert title.lower() in html.lower()

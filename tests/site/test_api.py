import gzip

import httpx
import pytest
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from tests import coroutines

TIMEOUT_SECONDS = 300


def test_the_page_travels_compressed(site):
    options = {"headers": {"accept-encoding": "gzip"}, "timeout": TIMEOUT_SECONDS}
    with httpx.stream("GET", f"{site}/sentiment", **options) as answer:
        sent = b"".join(answer.iter_raw())
    page = gzip.decompress(sent)
    assert b"window.gradio_config" in page
    assert len(sent) < len(page) / 3


def test_a_review_is_answered_word_by_word(api_client):
    result = api_client.predict("A superb, moving film.", "lstm", api_name="/sentiment")
    assert result["label"] == "positive"
    assert result["words"] == ["A", "superb", ",", "moving", "film", "."]
    assert len(result["running"]) == len(result["effects"]) == 6
    assert result["running"][-1] == pytest.approx(result["probability"], abs=1e-4)
    assert list(result["classes"]) == ["negative", "neutral", "positive"]
    assert sum(result["classes"].values()) == pytest.approx(1, abs=1e-5)


def test_many_reviews_are_answered_in_their_order(api_client):
    texts = ["A superb, moving film.", "", "A terrible, boring waste of time."]
    results = api_client.predict(texts, "gru", api_name="/sentiment_batch")
    assert [result.get("label") for result in results] == ["positive", None, "negative"]
    assert "nothing to read" in results[1]["note"]
    assert results[0]["positive"] == results[0]["probability"] > 0.5 > results[2]["positive"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "nothing to read"),
        (" \n\t ", "nothing to read"),
        ("\x00\x01\x02", "no words"),
        ("Отличный фильм, всем советую посмотреть", "another alphabet"),
        ("qwrtplk zxcvbnm sdfghjk", "knows none of these words"),
        ("word " * 20_000, "characters"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(api_client, text, sentence):
    with pytest.raises(AppError, match=sentence):
        api_client.predict(text, "lstm", api_name="/sentiment")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("<p>A <b>wonderful</b> film.</p>", "HTML tags were removed"),
        ("fine film " * 900, "Only the first 1,024"),
        ("Wonderful", "This text is short"),
    ],
)
def test_what_is_odd_is_answered_with_a_note(api_client, text, note):
    result = api_client.predict(text, "lstm", api_name="/sentiment")
    assert any(note in sentence for sentence in result["notes"])


def test_an_unknown_cell_is_refused(api_client):
    with pytest.raises(AppError, match="lstm, gru or rnn"):
        api_client.predict("A film.", "transformer", api_name="/sentiment")


def test_every_documented_event_says_what_it_does(api_client):
    documented = api_client.view_api(return_format="dict")["named_endpoints"]
    assert {"/sentiment", "/sentiment_batch"} <= set(documented)
    assert all(event["description"] for event in documented.values())


def test_an_mcp_client_lists_the_tools_and_calls_three(site, api_client):
    """The documented way in: https://modelcontextprotocol.io, streamable HTTP."""

    address = f"{site}/gradio_api/mcp/"

    async def ask():
        async with (
            streamablehttp_client(address, timeout=TIMEOUT_SECONDS) as (
                read,
                write,
                _,
            ),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            calls = (
                ("sentiment", {"text": "A superb, moving film."}),
                ("translate", {"text": "A man is sleeping."}),
                ("odd_one_out", {"words": ["breakfast", "cereal", "dinner", "lunch"]}),
                ("sentiment", {"text": ""}),
            )
            return tools, [await session.call_tool(*call) for call in calls]

    tools, answers = coroutines.run(ask())
    endpoints = api_client.view_api(return_format="dict")["named_endpoints"]
    assert set(tools) == {name.strip("/") for name in endpoints}
    assert "review" in tools["sentiment"].inputSchema["properties"]["text"]["description"]
    review, translation, odd, refusal = (answer.content[0].text for answer in answers)
    assert "'label': 'positive'" in review
    assert "homme" in translation
    assert "cereal" in odd
    assert answers[3].isError and "nothing to read" in refusal

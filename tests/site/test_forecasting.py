import csv
import re
from datetime import date, timedelta

import pytest
from gradio_client.exceptions import AppError
from playwright.sync_api import expect

HERE = "forecasting"
CHART = ".chart"


def answer(page):
    return page.locator(".answer")


def fan(page):
    """The fan chart, drawn."""
    chart = page.locator(CHART).first
    expect(chart).to_be_visible()
    return chart


def lines(page):
    """How many lines the fan chart has."""
    return fan(page).locator("path").count()


def slider(page, name):
    return page.get_by_role("spinbutton", name=name)


def weekdays(count, start=date(2023, 1, 2)):
    days = (start + timedelta(n) for n in range(2 * count))
    return [day for day in days if day.weekday() < 5][:count]


def prices(count, **changes):
    """Rows of a CSV of slowly waving prices; `changes` replaces the price of some rows."""
    rows = [[str(day), f"{100 + n % 7 + n / 50:.2f}"] for n, day in enumerate(weekdays(count))]
    for place, text in changes.items():
        rows[int(place.strip("_"))][1] = text
    return rows


def text_of(rows, header=("date", "close"), separator=","):
    return "\n".join(separator.join(row) for row in [header, *rows]) + "\n"


def upload(page, path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    page.locator("input[type=file]").set_input_files(path)


def test_the_page_opens_with_a_real_series_answered(open_page):
    page = open_page(HERE)
    expect(answer(page)).to_contain_text("in 20 trading days, 80")
    expect(answer(page)).to_contain_text("Up or down is a coin toss")
    fan(page)
    expect(page.locator(CHART).first).to_contain_text("S&P 500")
    expect(page.locator(CHART).first).to_contain_text("data: arch.data, 1999-01-04 to 2018-12-31")
    expect(page.locator(".lead")).to_contain_text("Nothing here is financial advice")
    expect(page.get_by_text("last two years of each file").first).to_be_visible()
    table = page.locator("table", has_text="Chance of a rise")
    for name in ("LSTM", "GRU", "RNN", "Last price (naive)", "RiskMetrics", "GARCH(1,1)"):
        expect(table).to_contain_text(name)
    expect(page.get_by_text("Over 250 start days the network’s pinball loss is")).to_be_visible()
    expect(page.locator("table", has_text="80 % held")).to_contain_text("GARCH(1,1)")
    expect(page.get_by_text("With the leak: right ")).to_have_count(2)
    expect(page.get_by_text("Most of all: ")).to_be_visible()
    expect(page.locator(".sheet img")).to_be_visible()
    page.get_by_role("radio", name="GRU").check()
    expect(page.get_by_text("GRU, middle of its range")).to_be_visible()
    expect(page.get_by_role("radio", name="Update gate")).to_be_checked()
    picture = page.locator(".sheet img")
    before = picture.get_attribute("src")
    page.get_by_role("radio", name="Hidden state").check()
    expect(picture).not_to_have_attribute("src", before)
    expect(page.get_by_text("forecast of the day before")).to_be_visible()
    page.get_by_role("radio", name="A forecast made on one day").check()
    expect(page.get_by_text("forecast of the day before")).to_have_count(0)
    expect(page.get_by_text("GRU, middle", exact=True)).to_be_visible()


def test_the_sliders_and_switches_act_and_the_forecast_comes_down(open_page):
    page = open_page(HERE)
    fan(page)
    number = answer(page).locator(".number")
    before = number.inner_text()
    slider(page, "Days ahead").fill("5")
    slider(page, "Days ahead").press("Enter")
    expect(answer(page)).to_contain_text("in 5 trading days")
    expect(number).not_to_have_text(before)
    before = number.inner_text()
    slider(page, "Interval").fill("50")
    slider(page, "Interval").press("Enter")
    expect(answer(page)).to_contain_text("50")
    expect(number).not_to_have_text(before)
    slider(page, "Go back").fill("20")
    slider(page, "Go back").press("Enter")
    expect(page.get_by_text("Outcome: ")).to_be_visible()
    many = lines(page)
    places = fan(page).locator(".hits i")
    expect(places).to_have_count(125)
    page.get_by_role("radio", name="250").check()
    expect(places).to_have_count(255)
    page.get_by_role("checkbox", name="GARCH fan").uncheck()
    expect(page.locator(".legend", has_text="GARCH 50")).to_have_count(0)
    assert lines(page) == many - 2
    page.get_by_role("button", name="The forecast as a table").click()
    with page.expect_download() as event:
        page.get_by_role("button", name="Download the forecast").click()
    with open(event.value.path(), newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["origin"] for row in rows] == ["2018-11-29"] * 5
    assert all(float(row["q0.05"]) < float(row["q0.50"]) < float(row["q0.95"]) for row in rows)


# What stands in a file, and the sentence that refuses it.
REFUSED = {
    "ten rows": (text_of(prices(10)), "10 usable prices; a forecast needs at least 61"),
    "strings": (text_of([[d, "abc"] for d, _ in prices(80)]), "text instead of a price"),
    "no price": (
        text_of([[d, "a", "b"] for d, _ in prices(80)], ("date", "x", "y")),
        "No column of this file",
    ),
    "no date": (text_of([["soon", p] for _, p in prices(80)], ("when", "close")), "no date column"),
    "one price": (text_of([[d, "7"] for d, _ in prices(80)]), "the price is 7 on every day"),
    "returns": (
        text_of([[d, f"{(-1) ** n * 0.01}"] for n, (d, _) in enumerate(prices(80))]),
        "zero or below",
    ),
}
# What is odd about a file, and what the answer says of it.
MENDED = {
    "a gap": (text_of(prices(60) + prices(400)[300:]), "There is a gap of"),
    "holes": (text_of(prices(90, _5="", _7="NaN")), "2 rows without a price did not count"),
    "a zero": (text_of(prices(90, _9="0")), "1 row with a price of zero or below"),
    "unsorted": (text_of(prices(90)[40:] + prices(90)[:40]), "not in the order of their dates"),
    "twice": (text_of(prices(90) + prices(90)[-3:]), "3 rows repeated a date"),
    "a split": (
        text_of(prices(60) + [[d, f"{float(v) / 4:.2f}"] for d, v in prices(120)[60:]]),
        "like an unadjusted split",
    ),
}


def test_a_ticker_files_and_a_built_in_series_are_answered_or_refused(open_page, tmp_path):
    page = open_page(HERE)
    # Without a network a ticker gets a sentence and stays.
    box = page.get_by_label("Ticker")
    box.fill("no such ticker!")
    page.get_by_role("button", name="Fetch").click()
    expect(page.get_by_role("alert")).to_contain_text("is not a ticker")
    box.fill("ZZZZ9")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(re.compile("Yahoo .*a CSV", re.I))
    expect(box).to_have_value("ZZZZ9")
    expect(answer(page)).to_contain_text("in 20 trading days")
    # A file that cannot be used gets its sentence, and the next is answered.
    before = answer(page).inner_text()
    for name in ("ten rows", "strings"):
        content, sentence = REFUSED[name]
        upload(page, tmp_path / f"{name}.csv", content)
        expect(page.get_by_role("alert")).to_contain_text(sentence)
    upload(page, tmp_path / "empty.csv", b"")
    expect(page.get_by_role("alert")).to_contain_text("empty")
    assert answer(page).inner_text() == before
    content, sentence = MENDED["a split"]
    upload(page, tmp_path / "mine.csv", content)
    expect(page.locator(CHART).first).to_contain_text("mine, closing price")
    expect(page.get_by_text(sentence).first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    commas = [[day, value.replace(".", ",")] for day, value in prices(90)]
    upload(page, tmp_path / "european.csv", text_of(commas, separator=";"))
    expect(page.locator(CHART).first).to_contain_text("european, closing price")
    expect(page.get_by_text("90 daily closes of european, 2 January to 5 May 2023")).to_be_visible()
    # Another column of the file is one choice away.
    rows = [[day, value, f"{3 * float(value):.2f}"] for day, value in prices(90)]
    upload(page, tmp_path / "wide.csv", text_of(rows, ("date", "close", "index")))
    expect(page.get_by_text("column close of 3")).to_be_visible()
    page.get_by_label("Column of the prices").click()
    page.get_by_role("option", name="index").click()
    expect(page.get_by_text("column index of 3")).to_be_visible()
    long = [[str(date(1800, 1, 1) + timedelta(n)), f"{90 + n % 23}"] for n in range(100_000)]
    upload(page, tmp_path / "long.csv", text_of(long + long[:10_000]))
    expect(page.locator(CHART).first).to_contain_text("long, closing price")
    # A built-in series is one choice away, and the backtest runs again.
    page.get_by_role("combobox").first.click()
    page.get_by_role("option", name="Random walk (simulated)").click()
    expect(page.get_by_text("The truth: nothing can be forecast")).to_be_visible()
    slider(page, "Days ahead").fill("3")
    slider(page, "Days ahead").press("Enter")
    expect(answer(page)).to_contain_text("in 3 trading days")
    slider(page, "Start days").fill("100")
    page.get_by_role("button", name="Run the backtest").click()
    expect(page.get_by_text("100 start days, ")).to_be_visible()
    expect(page.get_by_text("all horizons up to 3 trading days")).to_be_visible()


def test_a_link_restores_what_was_asked(open_page):
    page = open_page(f"{HERE}?series=garch&cell=rnn&horizon=7&level=90&back=30")
    expect(answer(page)).to_contain_text("in 7 trading days, 90")
    expect(page.get_by_text("RNN, middle of its range")).to_be_visible()
    expect(page.get_by_text("so the GARCH fan is the best there can be")).to_be_visible()
    expect(page.get_by_text("Outcome: ")).to_be_visible()
    expect(slider(page, "Days ahead")).to_have_value("7")
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_url("**/forecasting?series=garch&cell=rnn&horizon=7&level=90&back=30")


def test_a_wrong_link_is_answered_as_far_as_it_can_be_on_a_phone_in_the_dark_too(open_page):
    query = f"{HERE}?series=nothing&cell=transformer&horizon=soon&level=1e9&back=-4"
    page = open_page(query, color_scheme="dark")
    expect(answer(page)).to_contain_text("in 20 trading days, 90")
    expect(page.get_by_text("LSTM, middle of its range")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    fan(page)
    expect(page.locator(".sheet img")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    axis = page.locator(f"{CHART} text").first
    expect(axis).to_have_css("fill", "rgb(163, 166, 173)")


def test_the_api_forecasts_a_built_in_series_and_a_csv(api_client):
    result = api_client.predict("sp500", 20, "lstm", api_name="/forecast")
    assert result["name"] == "S&P 500" and result["origin"] == "2018-12-31"
    assert len(result["quantiles"]) == len(result["naive"]) == len(result["dates"]) == 20
    assert all(row == sorted(row) and len(row) == 19 for row in result["quantiles"])
    result = api_client.predict(text_of(prices(90)), 3, "gru", api_name="/forecast")
    assert len(result["dates"]) == len(result["garch"]) == 3
    assert result["cell"] == "gru"


def test_the_api_runs_the_backtest(api_client):
    result = api_client.predict("walk", 5, "rnn", 60, api_name="/backtest")
    assert [score["model"] for score in result["scores"]][:2] == ["rnn", "naive"]
    assert "Over 60 start days" in result["verdict"]


@pytest.mark.parametrize(
    ("event", "arguments", "sentence"),
    [
        ("/forecast", ("AAPL", 20, "lstm"), "is not a built-in series"),
        ("/forecast", ("sp500", 21, "lstm"), "whole number from 1 to 20"),
        ("/forecast", ("sp500", 20, "transformer"), "lstm, gru or rnn"),
        ("/backtest", (text_of(prices(65)), 20, "lstm", 250), "a backtest over 20 days needs"),
        ("/backtest", ("sp500", 20, "lstm", 10_000), "from 10 to 500"),
    ],
)
def test_the_api_refuses_with_a_sentence(api_client, event, arguments, sentence):
    with pytest.raises(AppError, match=sentence):
        api_client.predict(*arguments, api_name=event)


def test_the_api_says_what_is_wrong_with_a_csv_or_odd_about_it(api_client):
    for content, sentence in REFUSED.values():
        with pytest.raises(AppError, match=sentence):
            api_client.predict(content, 5, "lstm", api_name="/forecast")
    for content, sentence in MENDED.values():
        notes = api_client.predict(content, 5, "lstm", api_name="/forecast")["notes"]
        assert any(sentence in note for note in notes)

from dataclasses import replace

import numpy as np
import pytest

from apps.forecasting import analysis, backtest_views, charts, lesson_views, views
from apps.forecasting.examples import example, simulated
from apps.forecasting.reader import read_prices
from apps.forecasting.series import Series
from shared import bundle

CARD = bundle.read_card(bundle.MODELS / "forecasting")


@pytest.fixture(scope="module")
def series():
    return simulated("walk", 220)


def test_what_was_read_is_said_before_the_forecast(texts):
    rows = [f"ABC.US,D,{20230601 + n},{600 - n},{600.5 - n}" for n in range(30)]
    rows += [f"ABC.US,D,{20230701 + n},{570 - n},{570.5 - n}" for n in range(31)]
    text = "\n".join(["<TICKER>,<PER>,<DATE>,<OPEN>,<CLOSE>", *rows[::-1]])
    texts(views.describe_reading(read_prices(text)[0]))
    bare = "\n".join(f"{2000 + n}-01-01;{n + 1},5" for n in range(70))
    texts(views.describe_reading(read_prices(bare, "mine")[0]))
    assert views.describe_reading(simulated("walk", 100)) == ""


def test_days_without_trading_are_never_drawn():
    weekdays = np.arange("2023-01-01", "2023-10-27", dtype="datetime64[D]")
    weekdays = weekdays[np.isin((weekdays.astype(int) + 3) % 7, [6, 0, 1, 2, 3])]
    close = 100 + np.sin(np.arange(len(weekdays)))
    series = Series("Tel Aviv", weekdays, close)
    forecast = analysis.forecast("lstm", series, 20, len(series) - 1)
    drawn = charts.draw_fan(series, len(series) - 1, forecast, {}, 80, "day", 60)
    assert str(forecast.dates[-1]) == "2023-11-23"
    assert drawn.count("<i data-t") == 80  # one place for each session
    assert "23 November 2023" in drawn
    assert "27 October 2023" not in drawn and "28 October 2023" not in drawn


def test_one_loss_is_written_on_one_scale(series):
    result = analysis.backtest("lstm", series, 5, 30)
    loss = views.percent(result.scores[0].metrics["pinball"], 3)
    verdict, _, scores = backtest_views.draw_backtest(result, "day")
    assert loss in verdict and loss in scores
    headline = views.percent(CARD["variants"]["lstm"]["pinball"], 3)
    assert headline in views.draw_credit("lstm", CARD)
    assert headline in views.draw_model_scores(CARD)


def test_a_negative_correlation_has_a_true_minus(series):
    result = replace(analysis.one_step("lstm", series), change_correlation=-0.014)
    drawn = lesson_views.draw_illusion(result, "lstm", "hugging")
    assert "correlation −0.01." in drawn
    drawn = lesson_views.draw_illusion(replace(result, change_correlation=-0.001), "lstm", "honest")
    assert "correlation 0.00." in drawn


def test_names_from_files_are_escaped(series):
    hostile = replace(series, name="<b>A & B</b>", source="<i>C</i>")
    at = len(series) - 30
    forecast = analysis.forecast("lstm", hostile, 5, at)
    fans = analysis.forecast_baselines(hostile, at, 5, ("naive", "garch"))
    drawn = views.draw_fan(hostile, at, forecast, fans, 80, "day", 60)
    assert "&lt;b&gt;A &amp; B" in drawn
    assert "<b>A" not in drawn and "<i>C" not in drawn


@pytest.mark.parametrize("key", ["sp500", "co2", "sunspots"])
@pytest.mark.parametrize("past", [60, 750])
def test_every_chart_of_time_has_a_few_marks_in_order(key, past):
    dates = example(key).dates[-min(past, len(example(key))) :]
    marks = charts.date_ticks(dates)
    places = [place for place, _ in marks]
    assert 2 <= len(marks) <= 8
    assert places == sorted(set(places))
    assert len({text for _, text in marks}) == len(marks)


def test_the_preview_is_small_and_needs_no_style_sheet():
    drawn = views.preview()
    assert len(drawn.encode()) < 5000
    assert "class=" not in drawn and " id=" not in drawn

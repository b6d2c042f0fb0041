"""The page: a series of prices in, how far it may go out, and what that is worth."""

import json
import math
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import gradio as gr
from gradio.components.plot import PlotData
from gradio.context import LocalContext

from apps.forecasting import charts, views
from apps.forecasting.examples import EXAMPLES, example
from apps.forecasting.reader import read_prices
from apps.forecasting.views import CELLS, DISCLAIMER, HORIZON
from apps.forecasting.yahoo import fetch_prices
from shared import bundle, page
from shared.errors import UserError

TITLE = "Prices"
DESCRIPTION = "How far a price may move in the next days, beside GARCH, with a backtest."
SHAPE = "many to many"
START = "sp500"
LEVEL, ORIGINS = 80, 250
MOST_TICKERS = 50  # of one file, in the list of series


def build(tab, settings):
    """The page inside its `gr.Tab`."""
    card = bundle.read_card(bundle.MODELS / "forecasting")
    page.html(charts.STYLE)
    page.opening(
        "How far a price may go",
        "A recurrent network reads the last half year of a price and says how far it may move in "
        "the coming weeks, and with what odds. It does not know which way, and neither does "
        f"anybody else’s network. {DISCLAIMER}",
    )
    with gr.Row(elem_classes="controls"):
        series = gr.Dropdown(
            _series_choices({}), value=START, label="Series", show_label=False, min_width=300
        )
        cell = gr.Radio(
            [(name, value) for value, name in CELLS.items()],
            value="lstm",
            label="Cell",
            show_label=False,
            container=False,
        )
    with gr.Row(elem_classes="controls"):
        ticker = gr.Textbox(
            label="Ticker",
            show_label=False,
            placeholder="Or a ticker: AAPL",
            max_lines=1,
            max_length=40,
            min_width=170,
        )
        fetch_button = gr.Button("Fetch", min_width=90)
        upload = gr.UploadButton(
            "Upload a CSV", file_types=[".csv", ".txt", ".tsv"], size="md", min_width=130
        )
    problem = page.html()
    answer = page.html(
        page.note("The network is being loaded. The first answer takes a few seconds.")
    )
    chart = gr.Plot(
        show_label=False, container=False, elem_classes=["wide", "time-chart"], buttons=[]
    )
    below = page.html()
    with gr.Row(elem_classes="controls"):
        horizon = gr.Slider(1, 20, HORIZON, step=1, label="Days ahead", min_width=200)
        level = gr.Slider(10, 90, LEVEL, step=10, label="Interval, %", min_width=200)
        back = gr.Slider(0, 250, 0, step=1, label="Go back, days", min_width=200)
    with gr.Row(elem_classes="controls"):
        beside = gr.CheckboxGroup(
            [("Naive fan", "naive"), ("GARCH fan", "garch")],
            value=["naive", "garch"],
            label="Beside it",
            show_label=False,
            container=False,
        )
        page.link_button(tab, series=series, cell=cell, horizon=horizon, level=level, back=back)
    credit = page.html()
    with gr.Accordion("The forecast as a table", open=False):
        table = page.html()
        download = gr.DownloadButton("Download the forecast", visible=False)
    own = gr.State({})
    loaded, asked, subject, looked = gr.State(), gr.State(), gr.State(), gr.State()
    comparison = page.html()
    page.section(
        "Would it have worked?",
        "The test of a forecast is a past that it has not seen. From each of the last days whose "
        "future is known, every model forecasts from the days before alone; then the outcomes "
        "are counted.",
    )
    with gr.Row(elem_classes="controls"):
        origins = gr.Slider(50, 500, ORIGINS, step=50, label="Start days", min_width=200)
        test_button = gr.Button("Run the backtest", min_width=160)
    verdict = page.html()
    promised = gr.Plot(
        show_label=False, container=False, elem_classes=["wide", "time-chart", "low"], buttons=[]
    )
    scores = page.html()
    page.section(
        "The one-step illusion",
        "Many demonstrations draw a line that follows the price closely and call it prediction. "
        "Here is that line, from this very network, and what it is worth.",
    )
    line = gr.Radio(
        [("The line that hugs the price", "hugging"), ("A forecast made on one day", "honest")],
        value="hugging",
        label="Line",
        show_label=False,
        container=False,
    )
    illusion = gr.Plot(
        show_label=False, container=False, elem_classes=["wide", "time-chart", "low"], buttons=[]
    )
    lesson = page.html()
    leaks = page.html()
    page.section(
        "Which past days mattered",
        "Each bar is one day of the past. Had the price stood still that day, how much narrower "
        "would the range ahead be?",
    )
    days = gr.Plot(
        show_label=False, container=False, elem_classes=["wide", "time-chart", "low"], buttons=[]
    )
    strongest = page.html()
    page.section(
        "Inside the layer",
        "On every day, each of the layer’s units computes gates and states. Every row is a unit, "
        "every column a day; units that behave alike stand side by side.",
    )
    shown = gr.Radio(views.trace_choices("lstm"), value="forget", show_label=False, container=False)
    inside = page.html(wide=True)
    with gr.Accordion("The equations and the source code of the layer that answered", open=False):
        layer = page.html()

    inputs = [series, cell, horizon, level, back, beside, own]
    answered = [problem, answer, chart, below, credit, asked, subject, looked]
    reply = _answering(card)
    gr.on(
        [series.input, cell.input, horizon.input, level.input, back.input, beside.input],
        reply,
        inputs,
        answered,
        show_progress="hidden",
        **page.COMPUTE,
    )

    def restore(link):
        key = link.get("series")
        key = key if key in EXAMPLES else START
        variant = link.get("cell")
        variant = variant if variant in CELLS else "lstm"
        numbers = (
            _whole(link.get("horizon"), 1, 20, HORIZON),
            round(_whole(link.get("level"), 10, 90, LEVEL), -1),
            _whole(link.get("back"), 0, 250, 0),
        )
        state = [key, variant, *numbers]
        yield [*state, *[gr.skip()] * len(answered)]
        yield [*[gr.skip()] * len(state), *reply(*state, ["naive", "garch"], {})]

    page.when_opened(
        tab,
        restore,
        [series, cell, horizon, level, back, *answered],
        show_progress="hidden",
    )
    loading = {
        "outputs": [problem, own, series, back, loaded],
        "show_progress": "hidden",
        "concurrency_id": "prices",
        "concurrency_limit": 4,
        **page.ASKED,
    }
    gr.on([fetch_button.click, ticker.submit], _fetched, [ticker, own], **loading)
    upload.upload(_uploaded, [upload, own], **loading)
    loaded.change(reply, inputs, answered, show_progress="hidden", **page.COMPUTE)

    quiet = {**page.COMPUTE, "show_progress": "hidden"}
    asked.change(_guarded(_as_table, 2), [asked, own], [table, download], **quiet)
    asked.change(_guarded(views.comparison), [asked, own], comparison, **quiet)
    subject.change(
        _guarded(views.illusion, 2, 1), [subject, own, line], [illusion, lesson], **quiet
    )
    line.input(_guarded(views.illusion, 2, 1), [subject, own, line], [illusion, lesson], **quiet)
    subject.change(_guarded(views.leaks), [subject, own], leaks, **quiet)
    tested = [verdict, promised, scores]
    # One at a time: of two under way, the one asked first could be the last to answer.
    testing = {**quiet, "concurrency_id": "backtest", "concurrency_limit": 1}
    subject.change(_guarded(views.test, 3), [subject, own, horizon, origins], tested, **testing)
    test_button.click(
        _guarded(views.test, 3),
        [subject, own, horizon, origins],
        tested,
        **{**testing, "show_progress": "minimal", "show_progress_on": verdict},
    )
    looked.change(
        _guarded(views.mattered, 2, 1), [looked, own, horizon], [days, strongest], **quiet
    )
    looked.change(_guarded(_inside, 2, 1), [looked, own, shown], [shown, inside], **quiet)
    shown.input(_guarded(_inside, 2, 1), [looked, own, shown], [shown, inside], **quiet)
    subject.change(_guarded(views.layer), [subject, own], layer, **quiet)
    _api(settings)


def headline():
    """The score and the baseline's, for the home page."""
    card = bundle.read_card(bundle.MODELS / "forecasting")
    pinball, baseline = card["variants"]["lstm"]["pinball"], card["baselines"]["garch"]["pinball"]
    return f"pinball loss {100 * pinball:.3f} %", f"GARCH {100 * baseline:.3f} %"


def scores():
    """The models beside their baselines, for the About page."""
    return views.scores(bundle.read_card(bundle.MODELS / "forecasting"))


def warm_up():
    """Load the networks, compile the first one's graphs, and backtest the first series."""
    series = example(START)
    first, *_ = (views.models().Predictor.load(cell) for cell in CELLS)
    first.forecast(series)
    first.trace(series)
    first.backtest(series, names=())
    views.backtest("lstm", series, HORIZON, ORIGINS)


def _series_choices(own):
    """(name, value) of every series to choose from: the visitor's own first."""
    mine = [(f"Yours: {series.name}", key) for key, series in own.items()]
    return [*mine, *((one.title, one.key) for one in EXAMPLES.values())]


def _find(key, own):
    """The series of a key.

    Raises:
        UserError: if it is neither built in nor the visitor's.
    """
    if key in EXAMPLES:
        return example(key)
    if key not in own:
        raise UserError("These prices are no longer here. Fetch or upload them again.")
    return own[key]


def _whole(text, low, high, otherwise):
    """A whole number of a link, within its limits."""
    try:
        return min(max(int(float(text)), low), high)
    except (TypeError, ValueError, OverflowError):
        return otherwise


def _plot(figure):
    """A Plotly figure for the page; on a phone a finger on it scrolls the page, not the chart."""
    request = LocalContext.request.get(None)
    touch = "Mobi" in (request.headers.get("user-agent") or "") if request else False
    figure["layout"]["dragmode"] = False if touch else "zoom"
    return PlotData(type="plotly", plot=json.dumps(figure))


def _answering(card):
    def answer(key, cell, horizon, level, back, beside, own):
        try:
            series = _find(key, own)
            at = views.position(series, back)
            forecast = views.models().Predictor.load(cell).forecast(series, horizon, at)
        except (UserError, bundle.BundleError) as problem:
            return [page.error(problem), *[gr.skip()] * 7]
        unit = views.unit_of(series)
        fans = {name: views.shorter(views.fans_from(series, at)[name], horizon) for name in beside}
        figure = charts.fan(series, at, forecast, fans, level, unit)
        return [
            "",
            views.answer(key, series, forecast, level, unit, fans, card),
            _plot(figure),
            views.caption(forecast, level),
            views.credit(forecast.model, card),
            (key, cell, horizon, level, back),
            (key, cell),
            (key, cell, back),
        ]

    return answer


def _guarded(show, count=1, words=0):
    """The same for a state of what was asked and the visitor's series.

    It shows a sentence where something is wrong, and nothing before the first answer.

    Args:
        show: Function of a series and of what else was asked.
        count: How many outputs it has.
        words: Place of the output that takes a sentence; the others are emptied.
    """

    def guarded(asked, own, *more):
        if not asked:
            return gr.skip() if count == 1 else [gr.skip()] * count
        try:
            made = show(_find(asked[0], own), *asked[1:], *more)
        except (UserError, bundle.BundleError) as problem:
            said = page.note(str(problem))
            return said if count == 1 else [said if n == words else None for n in range(count)]
        if count == 1:
            return made
        return [_plot(part) if isinstance(part, dict) else part for part in made]

    return guarded


def _as_table(*asked):
    html, path = views.as_table(*asked)
    return html, gr.DownloadButton(value=path, visible=True)


def _inside(series, cell, back, shown):
    choices = views.trace_choices(cell)
    names = [name for _, name in choices]
    shown = shown if shown in names else names[0]
    return gr.Radio(choices, value=shown), views.inside(series, cell, back, shown)


def _fetched(ticker, own):
    """Prices of a ticker from the network, behind a message while it answers."""
    wanted = (ticker or "").strip().upper()
    yield page.note(f"Asking Yahoo Finance for {wanted or 'a ticker'} …"), *[gr.skip()] * 4
    try:
        series = fetch_prices(wanted)
    except UserError as problem:
        yield page.error(problem), *[gr.skip()] * 4
        return
    yield _taken([series], own)


def _uploaded(path, own):
    try:
        found = read_prices(Path(path))
    except UserError as problem:
        return page.error(problem), *[gr.skip()] * 4
    return _taken(found, own)


def _taken(found, own):
    """The outputs once prices have come: they are the first of the list, and chosen."""
    kept = found[:MOST_TICKERS]
    new = {f"own-{len(own) + n}-{series.name}": series for n, series in enumerate(kept)}
    own, first = {**new, **own}, next(iter(new))
    said = ""
    if len(found) > len(kept):
        said = page.note(
            f"This file has {len(found):,} tickers; the first {MOST_TICKERS} are in the list."
        )
    return said, own, gr.Dropdown(_series_choices(own), value=first), 0, first


def _api(settings):
    cells = Literal["lstm", "gru", "rnn"]

    def forecast(series: str = START, horizon: int = HORIZON, cell: cells = "lstm") -> dict:
        """How far a price may go: quantiles of the price on each of the days ahead.

        Args:
            series: A CSV with the columns date and close (and optionally open, high, low), as
                text; or a built-in series: sp500, nasdaq, wti, vix, walk, garch, regimes,
                season, co2 or sunspots.
            horizon: Days ahead, from 1 to 20.
            cell: The network that answers: lstm, gru or rnn.

        Returns:
            name, cell, origin (the last day known), last (its price), dates, levels (of the
            quantiles), quantiles (for each date), naive and garch (the baselines' quantiles),
            probability_up, source and notes.
        """
        found = _given(series, settings)
        with _sentences():
            made = _loaded(cell).forecast(found, _within("horizon", horizon, 1, 20))
            fans = views.fans_from(found, len(found) - 1)
        return {
            "name": made.name,
            "cell": made.model,
            "origin": str(made.origin),
            "last": made.last,
            "dates": [str(day) for day in made.dates],
            "levels": list(made.levels),
            "quantiles": _rounded(made.quantiles),
            "naive": _rounded(fans["naive"].quantiles[:horizon]),
            "garch": _rounded(fans["garch"].quantiles[:horizon]),
            "probability_up": round(made.probability_up(), 4),
            "source": made.source,
            "notes": list(made.notes),
        }

    def backtest(
        series: str = START, horizon: int = HORIZON, cell: cells = "lstm", origins: int = ORIGINS
    ) -> dict:
        """How good the forecasts would have been on the last days whose future is known.

        Args:
            series: A CSV as text, or the key of a built-in series, as for `forecast`.
            horizon: Days ahead, from 1 to 20; the scores are over all up to it.
            cell: The network: lstm, gru or rnn.
            origins: How many days to forecast from, 10 to 500.

        Returns:
            name, cell, horizon, verdict (in words), origins (the first and the last day),
            scores (for each model its metrics and the two-sided p-value of a difference from
            the network) and notes.
        """
        found = _given(series, settings)
        horizon, origins = _within("horizon", horizon, 1, 20), _within("origins", origins, 10, 500)
        with _sentences():
            _loaded(cell)
            made = views.backtest(cell, found, horizon, origins)
        return {
            "name": made.name,
            "cell": made.cell,
            "horizon": made.horizon,
            "verdict": made.verdict,
            "origins": [str(day) for day in made.origins[[0, -1]]],
            "scores": [
                {
                    "model": score.name,
                    "p_value": score.p_value,
                    **{name: _finite(value) for name, value in score.metrics.items()},
                }
                for score in made.scores
            ],
            "notes": list(made.notes),
        }

    page.api(forecast, concurrency_id="compute", concurrency_limit=2)
    page.api(backtest, concurrency_id="compute", concurrency_limit=2)


def _given(text, settings):
    """The series that a caller of the API names or sends."""
    if not isinstance(text, str):
        raise _refused("series must be the key of a built-in series, or a CSV as text.")
    if text.strip() in EXAMPLES:
        return example(text.strip())
    if len(text) > settings.max_upload_mb * 2**20:
        raise _refused(f"At most {settings.max_upload_mb} MB of text is read at once.")
    if "\n" not in text.strip():
        raise _refused(
            f"“{text.strip()[:30]}” is not a built-in series. Send a CSV with the columns date and "
            f"close, or one of: {', '.join(EXAMPLES)}."
        )
    with _sentences():
        found = read_prices(text)
    if len(found) > 1:
        raise _refused(f"This CSV has {len(found)} tickers; send one at a time.")
    return found[0]


def _loaded(cell):
    if cell not in CELLS:
        raise _refused("cell must be lstm, gru or rnn.")
    return views.models().Predictor.load(cell)


def _within(name, value, low, high):
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _refused(f"{name} must be a whole number from {low} to {high}.")
    return value


def _refused(sentence):
    return gr.Error(sentence, print_exception=False)


@contextmanager
def _sentences():
    """What is wrong with the prices or the bundle becomes a sentence for the caller."""
    try:
        yield
    except (UserError, bundle.BundleError) as problem:
        raise _refused(str(problem)) from None


def _rounded(quantiles):
    return [[float(f"{value:.7g}") for value in row] for row in quantiles]


def _finite(value):
    return float(f"{value:.6g}") if math.isfinite(value) else None

"""The page: a series of prices in, how far it may go out, and what that is worth."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import gradio as gr

from apps.forecasting import analysis, backtest_views, lesson_views, views, yahoo
from apps.forecasting.api import Api
from apps.forecasting.examples import EXAMPLES, example
from apps.forecasting.knobs import (
    BACK,
    CELL,
    HORIZON,
    LEVEL,
    MAX_UPLOAD_ROWS,
    ORIGINS,
    PAST,
    SERIES,
)
from apps.forecasting.leakage import leakage
from apps.forecasting.reader import read_apart
from apps.forecasting.series import name_step
from apps.forecasting.session import MAX_SERIES, OwnSeries
from apps.forecasting.views import CELLS, DISCLAIMER
from shared import bundle, tables
from shared.errors import UserError
from shared.site.components import LOADING, choice, error, html, note, page_title, section
from shared.site.events import BACKTEST_QUEUE, INTERACTIVE, QUIET
from shared.site.knobs import read_link
from shared.site.storage import discard
from shared.site.uploads import download_path

TITLE = "Prices"
DESCRIPTION = "How far a price may move in the coming weeks, beside GARCH, with a backtest."
SHAPE = "many to many"
FOLDER = bundle.MODELS / "forecasting"
FILE_TYPES = [".csv", ".txt", ".tsv", ".zip", ".gz"]
UNPACKED_FACTOR = 2  # how much larger than the largest upload an archive's content may be


def build(page, settings):
    """Build the page; arguments as `apps` documents them."""
    card = bundle.read_card(FOLDER)
    page_title(
        "How far a price may go",
        "A recurrent network reads the last half year of a price and says how far it may move in "
        "the coming weeks, and with what odds. It does not know which way, and neither does "
        f"anybody else’s network. {DISCLAIMER}",
    )
    # What the last answer is about, for the sections below; each follows one of these.
    state = SimpleNamespace(
        own=gr.State(OwnSeries()),  # the visitor's series
        loaded=gr.State(),  # key of the series that has just come
        question=gr.State(),  # (key, cell, horizon, level, back)
        subject=gr.State(),  # (key, cell)
        day=gr.State(),  # (key, cell, back)
    )
    inputs = _build_inputs(state, settings)
    _build_forecast(page, state, inputs, card)
    _build_backtest(state, inputs.horizon)
    _build_illusion(state)
    _build_influence(state, inputs.horizon)
    _build_trace(state)
    Api(settings.max_upload_mb).publish()


def headline():
    """The score and the baseline's, for the home page."""
    card = bundle.read_card(FOLDER)
    loss, baseline = card["variants"]["lstm"]["pinball"], card["baselines"]["garch"]["pinball"]
    return f"pinball loss {views.format_loss(loss)}", f"GARCH {views.format_loss(baseline)}"


def scores():
    """The models beside their baselines, for the About page."""
    return views.draw_model_scores(bundle.read_card(FOLDER))


def warm_up():
    """Load the networks, compile the first one's graphs, backtest the first series.

    Cached prices that have expired while the site was down are deleted too.
    """
    yahoo.delete_expired()
    series = example(SERIES.default)
    first, *_ = (analysis.load_predictor(cell) for cell in CELLS)
    first.forecast(series)
    first.trace(series)
    first.backtest(series, names=())
    analysis.backtest("lstm", series, HORIZON.default, ORIGINS.default)


# ---------------------------------------------------------------- series in


def _build_inputs(state, settings):
    """The choice of a series and a cell, a ticker or a file; returns its components."""
    with gr.Row(elem_classes="controls"):
        series = gr.Dropdown(
            _list_series(OwnSeries()),
            value=SERIES.default,
            label="Series",
            show_label=False,
            min_width=300,
        )
        cell = CELL.choice()
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
        upload = gr.UploadButton("Upload a CSV", file_types=FILE_TYPES, size="md", min_width=130)
        column = gr.Dropdown([], label="Column of the prices", visible=False, min_width=200)
    problem, reading = html(), html()
    back = BACK.slider(min_width=200, render=False)
    loading = {
        "outputs": [problem, state.own, series, back, state.loaded],
        "show_progress": "hidden",
        "concurrency_id": "prices",
        "concurrency_limit": 4,
        **INTERACTIVE,
    }
    limits = {
        "max_series": MAX_SERIES,
        "max_rows": MAX_UPLOAD_ROWS,
        "max_bytes": UNPACKED_FACTOR * settings.max_upload_mb * 2**20,
    }
    gr.on([fetch_button.click, ticker.submit], _fetch, [ticker, state.own], **loading)
    upload.upload(partial(_read_upload, limits), [upload, state.own], **loading)
    column.input(partial(_read_column, limits), [column, series, state.own], **loading)
    return SimpleNamespace(
        series=series, cell=cell, column=column, problem=problem, reading=reading, back=back
    )


def _read_upload(limits, path, own):
    """Add the series of a file, read within the limits of `read_file`; returns the outputs."""
    try:
        path = Path(path or "")
        content = path.read_bytes()
        discard(path)
        prices = read_apart(content, path.name.split(".")[0], **limits)
        return _add_series(own, prices.series, prices.count, content)
    except OSError:
        return _refuse("This file is no longer here. Upload it again.")
    except UserError as problem:
        return _refuse(problem)


def _read_column(limits, column, key, own):
    """Read another column of the file that a series came from; returns the outputs."""
    try:
        name = own.find(key).name
        content = own.read_file(key)
        if content is None:
            return _refuse("Upload the file again to read another of its columns.")
        prices = read_apart(content, name, column, **limits)
        return _add_series(own, prices.series, prices.count, content)
    except UserError as problem:
        return _refuse(problem)


def _list_series(own):
    """(name, key) of every series to choose from: the visitor's own first."""
    mine = [(f"Yours: {series.name}", key) for key, series in own.series.items()]
    return [*mine, *((each.title, each.key) for each in EXAMPLES.values())]


def _find(key, own):
    """The series of a key, built in or the visitor's.

    Raises:
        UserError: if it is neither.
    """
    return example(key) if key in EXAMPLES else own.find(key)


def _fetch(ticker, own):
    """Prices of a ticker from the network, behind a message while it answers."""
    ticker = (ticker or "").strip().upper()
    yield note(f"Asking Yahoo Finance for {ticker or 'a ticker'} …"), *[gr.skip()] * 4
    try:
        yield _add_series(own, [yahoo.fetch_prices(ticker)], 1)
    except UserError as problem:
        yield _refuse(problem)


def _add_series(own, new, count, content=None):
    """The outputs once prices have come: they are the first of the list, and chosen."""
    own, first = own.add(new, content)
    message = ""
    if count > len(new):
        message = note(f"This file has {count:,} series; the first {len(new)} are in the list.")
    return message, own, gr.Dropdown(_list_series(own), value=first), 0, first


def _refuse(problem):
    """The outputs if no prices have come: the forecast of the series before stays."""
    return error(problem) + note("Below is still the previous forecast."), *[gr.skip()] * 4


# ---------------------------------------------------------------- the forecast


def _build_forecast(page, state, inputs, card):
    """The answer, its chart, table and comparison; `inputs` gains the slider of days ahead."""
    answer = html(LOADING)
    chart = html(wide=True)
    with gr.Row(elem_classes="controls"):
        inputs.horizon = horizon = HORIZON.slider(min_width=200)
        level = LEVEL.slider(min_width=200)
        inputs.back.render()
    with gr.Row(elem_classes="controls"):
        past = PAST.choice(min_width=360)
        beside = gr.CheckboxGroup(
            [("Naive fan", "naive"), ("GARCH fan", "garch")],
            value=["naive", "garch"],
            label="Beside it",
            show_label=False,
            container=False,
        )
        values = {
            "series": inputs.series,
            "cell": inputs.cell,
            "horizon": horizon,
            "level": level,
            "back": inputs.back,
        }
        page.link_button(**values)
    credit = html()
    with gr.Accordion("The forecast as a table", open=False):
        table = html()
        download = gr.DownloadButton("Download the forecast", visible=False)
    comparison = html()

    def restore(link):
        yahoo.delete_expired()
        values = list(read_link((SERIES, CELL, HORIZON, LEVEL, BACK), link).values())
        yield [*values, *[gr.skip()] * len(outputs)]
        yield [
            *[gr.skip()] * len(values),
            *_respond(card, *values, PAST.default, ["naive", "garch"], OwnSeries()),
        ]

    settings = [*values.values(), past, beside]
    outputs = [inputs.problem, inputs.reading, inputs.column, answer, chart, credit]
    outputs += [state.question, state.subject, state.day]
    triggers = [*(each.input for each in settings), state.loaded.change]
    gr.on(triggers, partial(_respond, card), [*settings, state.own], outputs, **QUIET)
    page.on_open(restore, [*values.values(), *outputs], show_progress="hidden")
    _follow(state.question, state.own, _draw_table, [table, download])
    _follow(state.question, state.own, _draw_comparison, [comparison])


def _respond(card, key, cell, horizon, level, back, past, beside, own):
    """All outputs for the series of a key, on the day `back` days before its last."""
    try:
        series = _find(key, own)
        at = analysis.find_position(series, back)
        forecast = analysis.forecast(cell, series, horizon, at)
    except UserError as problem:
        return [error(problem), *[gr.skip()] * 8]
    step = name_step(series.dates)
    fans = analysis.forecast_baselines(series, at, horizon, beside)
    about = EXAMPLES[key].about if key in EXAMPLES else None
    reading = views.describe_reading(series)
    choices = series.reading.choices if series.reading else ()
    return [
        "",
        note(reading) if reading else "",
        gr.Dropdown(
            list(choices),
            value=series.reading.column if series.reading else None,
            visible=len(choices) > 1,
        ),
        views.draw_answer(forecast, level, step, fans, card, about),
        views.draw_fan(series, at, forecast, fans, level, step, past),
        views.draw_credit(cell, card),
        (key, cell, horizon, level, back),
        (key, cell),
        (key, cell, back),
    ]


def _follow(subject, own, draw, outputs, inputs=(), triggers=(), **options):
    """Fill a section whenever what it is about changes.

    A `UserError` of `draw` becomes a sentence in the first output; the others are emptied.

    Args:
        subject: State of a tuple, the key of a series and what else `draw` needs; None before the
            first answer.
        own: State of the visitor's series.
        draw: Function of a `Series`, the rest of the subject and the inputs' values; it returns a
            list with a value for each output.
        outputs: List of components.
        inputs: Further components.
        triggers: Further events that fill the section.
        options: For the event.
    """

    def fill(subject, own, *values):
        results = [gr.skip()] * len(outputs)
        if subject:
            try:
                results = draw(_find(subject[0], own), *subject[1:], *values)
            except UserError as problem:
                results = [note(str(problem)), *[None] * (len(outputs) - 1)]
        return results if len(outputs) > 1 else results[0]

    options = {**QUIET, **options}
    subject.change(fill, [subject, own, *inputs], outputs, **options)
    for trigger in triggers:
        trigger(fill, [subject, own, *inputs], outputs, **options)


def _draw_table(series, cell, horizon, level, back):
    at = analysis.find_position(series, back)
    forecast = analysis.forecast(cell, series, horizon, at)
    garch = analysis.forecast_baselines(series, at, horizon)["garch"]
    path = download_path(f"forecast-{forecast.origin}.csv")
    tables.write(path, *views.list_quantiles(forecast))
    html = views.draw_table(forecast, garch, level)
    return [html, gr.DownloadButton(value=str(path), visible=True)]


def _draw_comparison(series, cell, horizon, level, back):
    at = analysis.find_position(series, back)
    fans = {name: analysis.forecast(name, series, horizon, at) for name in CELLS}
    fans |= analysis.forecast_baselines(series, at, horizon)
    card = bundle.read_card(FOLDER)
    return [views.draw_comparison(fans, level, name_step(series.dates), card)]


# ---------------------------------------------------------------- the other sections


def _build_backtest(state, horizon):
    section(
        "Would it have worked?",
        "The test of a forecast is a past that it has not seen. From each of the last days whose "
        "future is known, every model forecasts from the days before alone; then the outcomes "
        "are counted.",
    )
    with gr.Row(elem_classes="controls"):
        origins = ORIGINS.slider(minimum=50, step=50, min_width=200)
        button = gr.Button("Run the backtest", min_width=160)
    verdict, figure, scores = html(), html(wide=True), html()

    def draw(series, cell, horizon, origins):
        result = analysis.backtest(cell, series, horizon, origins)
        return list(backtest_views.draw_backtest(result, name_step(series.dates)))

    # One of a visitor at a time: the one that began first could be the last to answer.
    _follow(
        state.subject,
        state.own,
        draw,
        [verdict, figure, scores],
        [horizon, origins],
        [button.click],
        **BACKTEST_QUEUE,
    )


def _build_illusion(state):
    section(
        "The one-step illusion",
        "Many demonstrations draw a line that follows the price closely and call it prediction. "
        "Here is that line, from this very network, and what it is worth.",
    )
    lines = [("The line that hugs the price", "hugging"), ("A forecast made on one day", "honest")]
    line = choice(lines, "hugging", "Line")
    figure, leaks = html(wide=True), html()

    def draw(series, cell, line):
        return [lesson_views.draw_illusion(analysis.one_step(cell, series), cell, line)]

    def draw_leaks(series, cell):
        return [lesson_views.draw_leaks(leakage(series))]

    _follow(state.subject, state.own, draw, [figure], [line], [line.input])
    _follow(state.subject, state.own, draw_leaks, [leaks])


def _build_influence(state, horizon):
    section(
        "Which past days mattered",
        "Each bar is one day of the past. Had the price stood still that day, how much narrower "
        "would the range ahead be?",
    )
    figure = html(wide=True)

    def draw(series, cell, back, horizon):
        at = analysis.find_position(series, back)
        result = analysis.influence(cell, series, horizon, at)
        return [lesson_views.draw_influence(result, name_step(series.dates))]

    _follow(state.day, state.own, draw, [figure], [horizon])


def _build_trace(state):
    section(
        "Inside the layer",
        "On every day, each of the layer’s units computes gates and states. Every row is a unit, "
        "every column a day; units that behave alike stand side by side.",
    )
    shown = choice(lesson_views.list_traces("lstm"), "forget", "Gate or state")
    figure = html(wide=True)
    with gr.Accordion("Equations and code of this layer", open=False):
        layer = html()

    def draw(series, cell, back, shown):
        choices = lesson_views.list_traces(cell)
        names = [name for _, name in choices]
        shown = shown if shown in names else names[0]
        at = analysis.find_position(series, back)
        dates, trace = analysis.trace(cell, series, at)
        return [
            lesson_views.draw_trace(series, at, dates, trace, shown),
            gr.Radio(choices, value=shown),
        ]

    def draw_layer(series, cell):
        network = analysis.load_predictor(cell).network
        return [lesson_views.draw_layer(cell, network.recurrent.cell)]

    _follow(state.day, state.own, draw, [figure, shown], [shown], [shown.input])
    _follow(state.subject, state.own, draw_layer, [layer])

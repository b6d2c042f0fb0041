"""The page's charts over time: Plotly figures as plain dicts, drawn by the Plotly inside Gradio.

Plotly cannot read the page's colour variables, so `STYLE` puts them in: a line drawn in a
colour of the light page gets the same name's colour, whatever the page's mode is.
"""

import numpy as np

from shared.plots import PALETTE, signed

INK = "rgb(27, 29, 34)"  # the page's text, one step beside the LSTM's black to be told apart
SHOWN = (60, 120, 250, 750)  # steps of the past to look back on
HEIGHT = 400


def _rgb(name):
    light = PALETTE[name][0]
    return f"rgb({', '.join(str(int(light[n : n + 2], 16)) for n in (1, 3, 5))})"


def _style():
    """The style sheet that gives Plotly's figures the page's colours and letters."""
    rules = []
    for name in ("lstm", "gru", "rnn", "baseline", "positive", "negative"):
        rules += [
            f'.js-plotly-plot [style*="{what}: {_rgb(name)}"]{{{what}:var(--{name})!important}}'
            for what in ("stroke", "fill")
        ]
    rules += [
        f'.js-plotly-plot [style*="stroke: {INK}"]{{stroke:var(--ink)!important}}',
        f'.js-plotly-plot [style*="fill: {INK}"]{{fill:var(--ink)!important}}',
        ".js-plotly-plot text{fill:var(--ink-2)!important;font-family:var(--sans)!important}",
        ".js-plotly-plot .hoverlayer text{fill:var(--ink)!important}",
        ".js-plotly-plot .hoverlayer :is(rect,path.bg),.js-plotly-plot .hovertext path"
        "{fill:var(--surface)!important;fill-opacity:1!important;stroke:var(--rule)!important}",
        ".js-plotly-plot :is(.gridlayer,.zerolinelayer) path{stroke:var(--rule)!important}",
        ".js-plotly-plot .spikeline{stroke:var(--ink-2)!important}",
        ".js-plotly-plot .updatemenu-item-rect{fill:var(--ground)!important;"
        "stroke:var(--rule)!important}",
        f".time-chart{{min-height:{HEIGHT}px}}.time-chart.low{{min-height:320px}}",
        "#tab-forecasting input[role=combobox]:focus-visible{outline:none}",
        ".fig.after{padding-top:0;margin:0 0 16px}.fig.before{padding-top:0;margin-bottom:-12px}",
        "#tab-forecasting .sheet{min-width:760px}",
        "#tab-forecasting .answer{grid-template-columns:1fr;row-gap:6px}",
        "#tab-forecasting .answer .number{font-size:clamp(38px,11vw,64px)}",
        "#tab-forecasting .row.controls .form{gap:16px 32px;overflow:visible}",
    ]
    return f"<style>{''.join(rules)}</style>"


STYLE = _style()


def price(value):
    """A price with as many digits as matter."""
    if not np.isfinite(value):
        return "–"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 100 else f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def ends(forecast, level):
    """Lower and upper end of the central interval of a percentage from 10 to 90, in tens."""
    place = round((100 - level) / 2 / 5) - 1
    return forecast.quantiles[:, place], forecast.quantiles[:, -1 - place]


def fan(series, at, forecast, baselines, level, unit):
    """The price up to the day at position `at`, and what each model expects after it.

    Args:
        series: The `Series`.
        at: Position of the last day known.
        forecast: The network's `Forecast` from there.
        baselines: Dict from baseline names to theirs.
        level: Percentage of the interval.
        unit: What a step is called, `day`.
    """
    past = series.cut(max(0, at + 1 - SHOWN[-1]), at + 1)
    ahead = np.concatenate([[forecast.origin], forecast.dates])
    name, shade = forecast.model.upper(), forecast.model
    traces = _band(ahead, forecast, level, shade, 0.13, edge=True)
    if level > 50:
        traces += _band(ahead, forecast, 50, shade, 0.16)
    for model, theirs in baselines.items():
        traces += _edges(ahead, theirs, level, model)
    flat = np.full(len(ahead), forecast.last)
    said = [f"last price {price(forecast.last)}"] * len(ahead)
    traces.append(_line(ahead, flat, _rgb("baseline"), said, width=1.2))
    median = np.concatenate([[forecast.last], forecast.median])
    low, high = ends(forecast, level)
    said = [""] + [
        f"<b>{name} {price(a)} – {price(b)}</b>, middle {price(m)}"
        for a, b, m in zip(low, high, forecast.median, strict=True)
    ]
    traces.append(_line(ahead, median, _rgb(shade), said, width=2, dash="dot"))
    traces.append(_line(past.dates, past.close, INK, [price(v) for v in past.close], width=1.6))
    came = np.concatenate([[forecast.last], forecast.actual])
    if np.isfinite(forecast.actual).any():
        said = [""] + [f"outcome: {price(value)}" for value in forecast.actual]
        traces.append(
            _line(ahead, came, INK, said, width=1.6)
            | {
                "mode": "lines+markers",
                "marker": {"size": 5, "color": INK, "line": {"width": 0}},
            }
        )
    drawn = [*ends(forecast, max(level, 50)), came]
    for theirs in baselines.values():
        drawn += ends(theirs, level)
    drawn = np.concatenate(drawn)
    layout = _layout(
        f"{unit} · data: {series.source or 'your own'}", _named(series.name, unit), past.dates
    )
    ranges = [(n, *_range(past, n, ahead, drawn)) for n in SHOWN if n < len(past) + SHOWN[0]]
    layout["xaxis"]["range"], layout["yaxis"]["range"] = ranges[min(1, len(ranges) - 1)][1:]
    layout["updatemenus"] = [_buttons(ranges, unit)]
    layout["margin"] = layout["margin"] | {"t": 68}
    return _figure(traces, layout)


def promised(backtest, level=80):
    """The intervals as they had been forecast a horizon before, and the prices that came."""
    place = round((100 - level) / 2 / 5) - 1
    fans = backtest.fans[backtest.cell]
    low, high = fans[:, place], fans[:, -1 - place]
    shade = _rgb(backtest.cell)
    traces = _filled(backtest.dates, low, high, backtest.cell, 0.2)
    said = [
        f"{price(v)}; promised {price(a)} – {price(b)}"
        for v, a, b in zip(backtest.actual, low, high, strict=True)
    ]
    traces.append(_line(backtest.dates, high, shade, None, width=0.8))
    traces.append(_line(backtest.dates, low, shade, None, width=0.8))
    traces.append(_line(backtest.dates, backtest.actual, INK, said, width=1.6))
    missed = (backtest.actual < low) | (backtest.actual > high)
    points = _line(backtest.dates[missed], backtest.actual[missed], _rgb("negative"), None)
    points |= {"mode": "markers", "marker": {"size": 6, "color": _rgb("negative")}}
    traces.append(points)
    layout = _layout("day of the outcome", backtest.name, backtest.dates)
    return _figure(traces, layout, height=320)


def hugging(illusion):
    """The line of one-step forecasts over the price."""
    said = [f"price {price(value)}" for value in illusion.actual]
    theirs = [f"said the day before: {price(value)}" for value in illusion.one_step]
    traces = [
        _line(illusion.dates, illusion.shifted, _rgb("baseline"), None, width=1.6, dash="dash"),
        _line(illusion.dates, illusion.actual, INK, said, width=1.6),
        _line(illusion.dates, illusion.one_step, _rgb("negative"), theirs, width=2),
    ]
    layout = _layout("day", "closing price", illusion.dates)
    return _figure(traces, layout, height=320)


def honest(illusion, cell):
    """The same days, forecast from one of them for all the rest."""
    forecast = illusion.forecast
    ahead = np.concatenate([[forecast.origin], forecast.dates])
    said = [f"price {price(value)}" for value in illusion.actual]
    traces = _band(ahead, forecast, 80, cell, 0.13, edge=True)
    traces += _band(ahead, forecast, 50, cell, 0.16)
    median = np.concatenate([[forecast.last], forecast.median])
    traces.append(_line(ahead, median, _rgb(cell), None, width=2, dash="dot"))
    traces.append(_line(illusion.dates, illusion.actual, INK, said, width=1.6))
    layout = _layout("day", "closing price", illusion.dates)
    return _figure(traces, layout, height=320)


def moves(influence):
    """Each day's move, and by how much it widens or narrows the interval ahead."""
    effects = 100 * np.expm1(influence.effects)
    returns = 100 * np.expm1(influence.returns)
    said = [
        f"move of the price: {signed(change, 1)} %<br>effect on the width: {signed(effect, 1)} %"
        for change, effect in zip(returns, effects, strict=True)
    ]
    dates = [str(day) for day in influence.dates]
    colours = [_rgb("positive") if effect >= 0 else _rgb("negative") for effect in effects]
    traces = [
        {
            "type": "bar",
            "x": dates,
            "y": _numbers(returns),
            "yaxis": "y2",
            "hoverinfo": "skip",
            "marker": {"color": _rgb("baseline")},
        },
        {
            "type": "bar",
            "x": dates,
            "y": _numbers(effects),
            "marker": {"color": colours},
            "text": said,
            "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        },
    ]
    layout = _layout("day", "effect on the width, %", influence.dates)
    layout["yaxis"] |= {"domain": [0, 0.52], "ticksuffix": ""}
    layout["yaxis2"] = {**layout["yaxis"], "domain": [0.64, 1], "anchor": "x", "nticks": 4}
    layout["annotations"][0]["y"] = 0.52
    layout["annotations"].append({**layout["annotations"][0], "y": 1, "text": "move of the day, %"})
    layout |= {"bargap": 0.25}
    return _figure(traces, layout, height=320)


def _named(name, unit):
    return f"{name}, closing price" if unit == "day" else name


def _figure(traces, layout, height=HEIGHT):
    return {
        "data": traces,
        "layout": layout | {"height": height},
        "config": {"displayModeBar": False, "displaylogo": False, "responsive": True},
    }


def _layout(x_title, y_title, dates=()):
    """Axes with names; weekends are left out where none of the dates is one."""
    axis = {
        "showgrid": True,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "automargin": True,
        "title": {"text": ""},
    }
    weekday = (np.asarray(dates, "datetime64[D]").astype(int) + 3) % 7  # 0 is a Monday
    breaks = [{"bounds": ["sat", "mon"]}] if len(dates) and weekday.max() < 5 else []
    y_name = {
        "text": y_title,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 4,
        "showarrow": False,
        "font": {"size": 13},
    }
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 12},
        "showlegend": False,
        "hovermode": "x unified",
        "hoverlabel": {"font": {"size": 13}, "bgcolor": "#ffffff"},
        "margin": {"l": 8, "r": 8, "t": 40, "b": 8, "pad": 4},
        "xaxis": axis
        | {
            "type": "date",
            "showgrid": False,
            "nticks": 5,
            "tickangle": 0,
            "hoverformat": "%-d %B %Y",
            "spikethickness": 1,
            "spikedash": "solid",
            "spikecolor": "#888888",
            "rangebreaks": breaks,
            "title": {"text": x_title, "font": {"size": 13}, "standoff": 10},
        },
        "yaxis": axis | {"separatethousands": True, "nticks": 7},
        "annotations": [y_name],
    }


def _buttons(ranges, unit):
    """Buttons that look back on more or less of the past, the prices filling the height."""
    return {
        "type": "buttons",
        "direction": "right",
        "x": 1,
        "xanchor": "right",
        "y": 1,
        "yanchor": "bottom",
        "pad": {"b": 28, "r": 0, "t": 0, "l": 0},
        "active": min(1, len(ranges) - 1),
        "bgcolor": "rgba(0,0,0,0)",
        "borderwidth": 1,
        "font": {"size": 12},
        "buttons": [
            {
                "label": f"{n} {unit}s" if n == SHOWN[0] else str(n),
                "method": "relayout",
                "args": [{"xaxis.range": x, "yaxis.range": y}],
            }
            for n, x, y in ranges
        ],
    }


def _range(past, shown, ahead, drawn):
    """Ends of both axes that show the last days of the past and all that is drawn ahead."""
    close = np.concatenate([past.close[-shown:], drawn[np.isfinite(drawn)]])
    room = 0.05 * (close.max() - close.min()) or 1.0
    first = past.dates[max(0, len(past) - shown)]
    after = ahead[-1] + max(1, (ahead[-1] - first).astype(int) // 60)
    return [str(first), str(after)], [float(close.min() - room), float(close.max() + room)]


def _band(ahead, forecast, level, shade, alpha, edge=False):
    low, high = (np.concatenate([[forecast.last], end]) for end in ends(forecast, level))
    traces = _filled(ahead, low, high, shade, alpha)
    if edge:
        traces += [_line(ahead, end, _rgb(shade), None, width=0.8) for end in (low, high)]
    return traces


def _filled(dates, low, high, shade, alpha):
    bare = _line(dates, low, "rgba(0,0,0,0)", None, width=0)
    colour = _rgb(shade).replace("rgb(", "rgba(").replace(")", f", {alpha})")
    full = _line(dates, high, "rgba(0,0,0,0)", None, width=0)
    return [bare, full | {"fill": "tonexty", "fillcolor": colour}]


def _edges(ahead, forecast, level, model):
    low, high = (np.concatenate([[forecast.last], end]) for end in ends(forecast, level))
    title = {"garch": "GARCH", "naive": "naive"}[model]
    said = [""] + [
        f"{title} {price(a)} – {price(b)}" for a, b in zip(low[1:], high[1:], strict=True)
    ]
    dash = "dash" if model == "garch" else "solid"
    colour = _rgb("baseline")
    return [
        _line(ahead, low, colour, None, width=1.4, dash=dash),
        _line(ahead, high, colour, said, width=1.4, dash=dash),
    ]


def _line(dates, values, colour, said, width=1.5, dash="solid"):
    """A line; with `said` a text for each point to show there, without nothing."""
    trace = {
        "type": "scatter",
        "mode": "lines",
        "x": [str(day) for day in dates],
        "y": _numbers(values),
        "line": {"color": colour, "width": width, "dash": dash},
    }
    if said is None:
        return trace | {"hoverinfo": "skip"}
    return trace | {"text": said, "hovertemplate": "%{text}<extra></extra>"}


def _numbers(values):
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values]

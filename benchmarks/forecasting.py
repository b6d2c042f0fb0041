"""How long a forecast takes, and a backtest batched beside one origin at a time.

`python -m benchmarks.forecasting [--json]`. Milliseconds, the median of several runs, warm.
"""

import json
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


def milliseconds(function, repeats):
    """Median time of `function()` in milliseconds, after one call to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return round(median(times), 1)


def measure(cell="lstm", model=None, origins=250, repeats=7):
    """All timings, as a dict."""
    from apps.forecasting.examples import example
    from apps.forecasting.predictor import Predictor, default_origins
    from shared import compiled

    start = time.perf_counter()
    predictor = Predictor.load(cell, model)
    series = example("sp500")
    predictor.forecast(series)
    loading = round(1000 * (time.perf_counter() - start), 1)
    at = default_origins(len(series), origins)
    with compiled.compile_at_first_call():
        predictor.forecast(series)
        predictor.trace(series)
    compiled.wait_for_compilation()
    return {
        "load_and_first_forecast": loading,
        "forecast": milliseconds(lambda: predictor.forecast(series), repeats),
        "forecast_with_baseline_fans": milliseconds(
            lambda: (predictor.forecast(series), predictor.fans(series)), repeats
        ),
        f"{origins}_origins_batched": milliseconds(
            lambda: predictor.quantiles(series, at), repeats
        ),
        f"{origins}_origins_one_at_a_time": milliseconds(
            lambda: [predictor.forecast(series, origin=int(origin)) for origin in at], 2
        ),
        f"backtest_{origins}_network_alone": milliseconds(
            lambda: predictor.backtest(series, origins, names=()), repeats
        ),
        f"backtest_{origins}_with_all_baselines": milliseconds(
            lambda: predictor.backtest(series, origins), 3
        ),
        "influence_60_days": milliseconds(lambda: predictor.influence(series), 3),
        "trace": milliseconds(lambda: predictor.trace(series), 3),
    }


@app.command()
def main(
    cell: Annotated[str, typer.Option(help="lstm, gru or rnn.")] = "lstm",
    model: Annotated[Path | None, typer.Option(help="Folder of a bundle of your own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
):
    """Time the forecasts of one series: S&P 500, 5,031 days."""
    times = measure(cell, model)
    if as_json:
        print(json.dumps(times))
        return
    for name, value in times.items():
        print(f"{name:40}{value:10.1f} ms")


if __name__ == "__main__":
    app()

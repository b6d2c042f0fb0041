"""Times forecasts, and a batched backtest beside one origin at a time.

`python -m benchmarks.forecasting [--cell NAME] [--model FOLDER] [--json]`. Median times, warm.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.timing import AsJson, median_milliseconds, print_figures

app = typer.Typer(add_completion=False)


def measure(cell="lstm", model=None, origins=250, repeats=7):
    """All timings, as a dict."""
    from apps.forecasting.examples import example
    from apps.forecasting.predictor import Predictor, default_origins
    from shared import compiled

    start = time.perf_counter()
    predictor = Predictor.load(cell, model)
    series = example("sp500")
    predictor.forecast(series)
    load_time = round(1000 * (time.perf_counter() - start), 1)
    days = default_origins(len(series), origins)
    with compiled.compile_at_first_call():
        predictor.forecast(series)
        predictor.trace(series)
    compiled.wait_for_compilation()
    return {
        "load_and_first_forecast": load_time,
        "forecast": median_milliseconds(lambda: predictor.forecast(series), repeats),
        "forecast_with_baseline_fans": median_milliseconds(
            lambda: (predictor.forecast(series), predictor.fans(series)), repeats
        ),
        f"{origins}_origins_batched": median_milliseconds(
            lambda: predictor.quantiles(series, days), repeats
        ),
        f"{origins}_origins_one_at_a_time": median_milliseconds(
            lambda: [predictor.forecast(series, origin=int(day)) for day in days], 2
        ),
        f"backtest_{origins}_network_alone": median_milliseconds(
            lambda: predictor.backtest(series, origins, names=()), repeats
        ),
        f"backtest_{origins}_with_all_baselines": median_milliseconds(
            lambda: predictor.backtest(series, origins), 3
        ),
        "influence_60_days": median_milliseconds(lambda: predictor.influence(series), 3),
        "trace": median_milliseconds(lambda: predictor.trace(series), 3),
    }


@app.command()
def main(
    cell: Annotated[str, typer.Option(help="lstm, gru or rnn.")] = "lstm",
    model: Annotated[Path | None, typer.Option(help="Folder of a bundle of your own.")] = None,
    as_json: AsJson = False,
):
    """Time the forecasts of one series: S&P 500, 5,031 days."""
    print_figures(measure(cell, model), as_json)


if __name__ == "__main__":
    app()

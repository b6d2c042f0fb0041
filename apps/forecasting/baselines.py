"""The baselines: simple forecasts of the same quantiles from the same origins.

Each baseline is a function of the closing prices `(days,)` and of origins (positions in them)
that returns quantiles of the log-returns ahead, `(origins, HORIZONS, levels)`, from the prices
up to each origin only.
"""

import logging
import warnings
from statistics import NormalDist

import numpy as np
import pandas as pd

from apps.forecasting.features import (
    HORIZONS,
    LEVELS,
    MIN_VOLATILITY,
    log_returns,
    rolling_mean,
    trailing_volatility,
)

log = logging.getLogger(__name__)
NORMAL = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
STEPS = np.arange(1, HORIZONS + 1)
HISTORY_DAYS = 250  # of the historical volatility and of the drift
WEEK_DAYS = 5  # trading days: the season of prices
FIT_DAYS = 1000  # that GARCH, ETS and ARIMA are fitted to
REFIT_DAYS = 20  # after which parameters are fitted anew
MIN_GARCH_RETURNS = 100


def normal_quantiles(mean, deviation):
    """Quantiles of normal distributions: `(…)` and `(…)` -> `(…, levels)`."""
    return np.asarray(mean)[..., None] + np.asarray(deviation)[..., None] * NORMAL


def naive(close, origins):
    """The last price, with the volatility of the last year times the square root of the horizon."""
    squares = log_returns(close) ** 2
    deviation = np.maximum(np.sqrt(rolling_mean(squares, HISTORY_DAYS)), MIN_VOLATILITY)[origins]
    return normal_quantiles(np.zeros((len(origins), 1)), deviation[:, None] * np.sqrt(STEPS))


def drift(close, origins):
    """The naive forecast, moved by the mean return of the last year."""
    logs = np.log(close)
    origins = np.asarray(origins)
    back = np.minimum(origins, HISTORY_DAYS)
    slope = (logs[origins] - logs[origins - back]) / np.maximum(back, 1)
    return naive(close, origins) + (slope[:, None] * STEPS)[..., None]


def seasonal(close, origins):
    """The price of the same weekday a trading week before, with the volatility of such errors."""
    logs = np.log(close)
    origins = np.asarray(origins)
    weeks = -(-STEPS // WEEK_DAYS)
    past = np.maximum(origins[:, None] + STEPS - WEEK_DAYS * weeks, 0)
    changes = np.concatenate([np.zeros(WEEK_DAYS), logs[WEEK_DAYS:] - logs[:-WEEK_DAYS]])[
        : len(logs)
    ]
    deviation = np.sqrt(rolling_mean(changes**2, HISTORY_DAYS))[origins, None] * np.sqrt(weeks)
    return normal_quantiles(
        logs[past] - logs[origins][:, None], np.maximum(deviation, MIN_VOLATILITY)
    )


def ewma(close, origins):
    """No change, with RiskMetrics' exponentially weighted volatility (λ = 0.94)."""
    deviation = np.maximum(trailing_volatility(log_returns(close)), MIN_VOLATILITY)[origins]
    return normal_quantiles(np.zeros((len(origins), 1)), deviation[:, None] * np.sqrt(STEPS))


def garch(close, origins, refit=REFIT_DAYS, fits=None):
    """GARCH(1,1) with Student-t shocks (Bollerslev 1987), fitted by `arch`.

    The parameters are fitted to the last 1,000 returns, and again whenever `refit` days have
    passed; in between the variance is updated with the old parameters. If a fit fails, the
    previous parameters are kept; if the series is too short for a fit, the forecast is
    RiskMetrics'. The mean is fixed at zero and the shocks are Student-t: on the validation days
    that was better than a fitted mean and than normal shocks.

    Args:
        refit: Days between two fits.
        fits: The result of `garch_fits` for these origins, if it has been computed.
    """
    origins = np.asarray(origins)
    fits = fits or garch_fits(close, origins, refit)
    returns = log_returns(close)[1:]  # returns[t - 1] is day t's
    quantiles = np.empty((len(origins), HORIZONS, len(LEVELS)))
    fit_days = np.array(sorted(fits))
    latest_fits = fit_days[np.searchsorted(fit_days, origins, side="right") - 1]
    for fit_day in np.unique(latest_fits):
        rows = np.flatnonzero(latest_fits == fit_day)
        at = origins[rows]
        if fits[fit_day] is None:
            quantiles[rows] = ewma(close, at)
            continue
        constant, alpha, beta, freedom = fits[fit_day]
        first = max(0, fit_day - FIT_DAYS)
        start = float(np.mean(returns[first:fit_day] ** 2))
        # Place n of the filter is the variance of returns[first + n], the day after the last too.
        variance = garch_filter(returns[first : at.max()], constant, alpha, beta, start)[at - first]
        total = np.cumsum(garch_path(variance, constant, alpha, beta), axis=1)
        quantiles[rows] = np.sqrt(total)[..., None] * summed_student(freedom)
    return quantiles


def garch_fits(close, origins, refit=REFIT_DAYS):
    """GARCH parameters fitted at the first origin and then every `refit` days.

    Returns:
        Dict from positions to what `fit_garch` returns.
    """
    returns = log_returns(close)[1:]
    fits, parameters, last = {}, None, None
    for origin in np.sort(origins).tolist():
        if last is None or origin - last >= refit:
            last = origin
            parameters = (
                fit_garch(returns[max(0, last - FIT_DAYS) : last], parameters) or parameters
            )
            fits[last] = parameters
    return fits


def fit_garch(returns, start=None):
    """Fit GARCH(1,1) with Student-t shocks by maximum likelihood.

    Args:
        returns: Array `(days,)`.
        start: Parameters to start from, or None.

    Returns:
        Constant, alpha, beta and degrees of freedom; None if the fit fails.
    """
    spread = float(np.sqrt(np.mean(returns**2))) if len(returns) else 0.0
    if len(returns) < MIN_GARCH_RETURNS or spread < MIN_VOLATILITY:
        return None
    from arch import arch_model

    # The optimiser likes numbers near 1.
    model = arch_model(
        returns / spread, mean="Zero", vol="GARCH", p=1, q=1, dist="t", rescale=False
    )
    start = None if start is None else np.array([start[0] / spread**2, *start[1:]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = model.fit(
                disp="off",
                show_warning=False,
                starting_values=start,
                # In log-likelihood; near the parameters before, a coarser stop loses nothing.
                options={"ftol": 1e-6 if start is None else 1e-3},
            )
        except Exception as error:  # the optimiser and linear algebra raise their own
            log.debug("GARCH could not be fitted: %s", type(error).__name__)
            return None
    constant, alpha, beta, freedom = (float(value) for value in result.params)
    if not np.isfinite([constant, alpha, beta, freedom]).all() or alpha + beta > 1.001:
        return None
    return constant * spread**2, alpha, beta, freedom


def summed_student(freedom):
    """Quantiles of standardised sums of 1 … 20 Student-t shocks: `(HORIZONS, levels)`.

    The sum of h shocks is approximated by a Student-t distribution with 1/h of the excess
    kurtosis of one shock.
    """
    from scipy.stats import t

    freedom = 4 + STEPS[:, None] * (max(freedom, 4.5) - 4)
    return t.ppf(np.array(LEVELS), freedom) * np.sqrt((freedom - 2) / freedom)


def garch_filter(residuals, constant, alpha, beta, start):
    """The conditional variance of each day, and of the day after the last.

    Args:
        residuals: Array `(days,)`, returns minus their mean.
        constant, alpha, beta: The parameters.
        start: The variance before the first day.

    Returns:
        Array `(days + 1,)`.
    """
    from scipy.signal import lfilter

    first = constant + (alpha + beta) * start
    shocks = constant + alpha * np.asarray(residuals) ** 2
    rest, _ = lfilter([1.0], [1.0, -beta], shocks, zi=[beta * first])
    return np.concatenate([[first], rest])


def garch_path(variance, constant, alpha, beta):
    """Expected variances from tomorrow's: `(origins,)` -> `(origins, HORIZONS)`."""
    ahead = np.empty((len(variance), HORIZONS))
    ahead[:, 0] = variance
    for step in range(1, HORIZONS):
        ahead[:, step] = constant + (alpha + beta) * ahead[:, step - 1]
    return ahead


def ets(close, origins):
    """Exponential smoothing of the log-price with additive error and damped trend (statsmodels)."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    def fit(logs):
        result = ETSModel(pd.Series(logs), error="add", trend="add", damped_trend=True).fit(
            disp=False
        )
        ahead = result.get_prediction(start=len(logs), end=len(logs) + HORIZONS - 1)
        return ahead.predicted_mean, np.sqrt(ahead.forecast_variance)

    return _fitted(close, origins, fit)


def arima(close, origins):
    """ARIMA(1, 1, 1) of the log-price (statsmodels)."""
    from statsmodels.tsa.arima.model import ARIMA

    def fit(logs):
        ahead = ARIMA(logs, order=(1, 1, 1)).fit().get_forecast(HORIZONS)
        return ahead.predicted_mean, ahead.se_mean

    return _fitted(close, origins, fit)


def _fitted(close, origins, fit):
    """Normal quantiles around the means that `fit` gives for the last 500 log-prices."""
    logs = np.log(close)
    quantiles = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that do not converge: their forecast counts
        for origin in origins:
            mean, deviation = fit(logs[max(0, origin - 499) : origin + 1])
            quantiles.append(normal_quantiles(np.asarray(mean) - logs[origin], deviation))
    return np.stack(quantiles)

"""From rows of one ticker to a `Series`: what cannot be used is left out or refused."""

import numpy as np

from apps.forecasting.reading.parsing import FIRST_YEAR, LAST_YEAR, is_missing
from apps.forecasting.reading.table import count_rows
from apps.forecasting.series import Series
from shared.errors import UserError


def clean(name, dates, prices, cells, min_prices, notes, reading):
    """A `Series` of one ticker's rows.

    Args:
        name: Of the series.
        dates: Array `(rows,)`, NaT where a row has none.
        prices: Dict from roles to arrays `(rows,)`, NaN where a row has none.
        cells: The cells of the price, to be quoted.
        min_prices: Fewest usable rows.
        notes: Sentences so far.
        reading: The `Reading`.

    Raises:
        UserError: if too little of it can be used.
    """
    notes, total = list(notes), len(dates)
    if "adjusted" in prices:
        adjusted = prices.pop("adjusted")
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = adjusted / prices.get("close", adjusted)
        prices = {role: values * ratio for role, values in prices.items()} | {"close": adjusted}
    use, more = _usable_rows(name, dates, prices["close"], cells)
    notes += more
    order, more = _in_order(dates[use])
    notes += more
    use = np.flatnonzero(use)[order]
    use, more = _without_still_weekends(use, dates, prices["close"])
    notes += more
    if len(use) < min_prices:
        raise UserError(
            f"{name} has {len(use):,} usable prices; a forecast needs at least {min_prices}, "
            f"about three months of trading days."
            + (f" The file has {total:,} rows." if total > len(use) else "")
        )
    dates, close = dates[use], prices["close"][use]
    _refuse_implausible(name, dates, close)
    ranges = {}
    for role in ("open", "high", "low"):
        if role in prices:
            values = prices[role][use]
            values = np.where(values > 0, values, np.nan)
            ranges[role] = values if np.isfinite(values).any() else None
    notes += _oddities(close, dates)
    return Series(name, dates, close, **ranges, notes=tuple(notes), reading=reading)


def _usable_rows(name, dates, close, cells):
    """Which rows have a date and a positive price, and notes on the others."""
    notes, total = [], len(dates)
    dated = ~np.isnat(dates)
    if total and not dated.any():
        raise UserError(f"{name}: no date in the date column can be read. Try 2024-01-31.")
    if not dated.all():
        notes.append(f"{count_rows((~dated).sum())} without a readable date did not count.")
    years = (
        np.where(dated, dates, np.datetime64("2000-01-01")).astype("datetime64[Y]").astype(int)
        + 1970
    )
    strange = (years < FIRST_YEAR) | (years > LAST_YEAR)
    if strange.sum() > 0.1 * total:
        raise UserError(
            f"{name}: {count_rows(strange.sum())} would be of years such as {years[strange][0]}. "
            f"Prices from {FIRST_YEAR} to {LAST_YEAR} are read; write the dates like 2024-01-31."
        )
    if strange.any():
        notes.append(
            f"{count_rows(strange.sum())} of years such as {years[strange][0]} did not count."
        )
    use = dated & ~strange
    missing = use & ~np.isfinite(close)
    if missing.any():
        words = [cells[n] for n in np.flatnonzero(missing) if not is_missing(cells[n])]
        if words:
            what = f"text instead of a price (“{words[0].strip()[:20]}”)"
            if len(words) > total / 2:
                raise UserError(
                    f"{name}: the price column holds {what} in {count_rows(len(words))}."
                )
            notes.append(f"{count_rows(len(words))} with {what} did not count.")
        if len(words) < missing.sum():
            notes.append(f"{count_rows(missing.sum() - len(words))} without a price did not count.")
    use &= ~missing
    wrong = use & ~(close > 0)
    if wrong.any():
        if wrong.sum() > 0.1 * use.sum():
            raise UserError(
                f"{name}: {count_rows(wrong.sum())} of {use.sum():,} have a price of zero or "
                "below. Returns need positive prices; if these are returns or differences, give "
                "the prices."
            )
        notes.append(f"{count_rows(wrong.sum())} with a price of zero or below did not count.")
    return use & ~wrong, notes


def _in_order(dates):
    """Positions of the rows by date, the last one of each day, and notes."""
    notes = []
    steps = np.diff(dates).astype(int)
    order = np.arange(len(dates))
    if (steps < 0).any():
        if (steps <= 0).all():
            order = order[::-1]
        else:
            notes.append("The rows were not in the order of their dates; they are now.")
            order = np.argsort(dates, kind="stable")
    last = np.append(np.diff(dates[order]).astype(int) != 0, True)[: len(order)]
    if not last.all():
        notes.append(
            f"{count_rows((~last).sum())} repeated a date; the last one of each day counts."
        )
    return order[last], notes


def _without_still_weekends(use, dates, close):
    """Leave weekend rows out where the price never moves on them: filled in, not traded."""
    weekend = (dates[use].astype(int) + 3) % 7 >= 5
    if not weekend.any() or weekend.mean() > 0.5:
        return use, []
    moved = np.diff(close[use], prepend=close[use][0])[weekend] != 0
    if moved.mean() > 0.2:
        return use, []
    note = f"{count_rows(weekend.sum())} on weekends repeated Friday’s price and did not count."
    return use[~weekend], [note]


def _refuse_implausible(name, dates, close):
    if np.ptp(close) == 0:
        raise UserError(f"{name}: the price is {close[0]:g} on every day. Is it the right column?")
    years = dates.astype("datetime64[Y]").astype(int) + 1970
    if np.mean(close == years) > 0.9:
        raise UserError(
            f"{name}: the prices are the years of their dates. A date that contains a comma needs "
            "quotes around it."
        )


def _oddities(close, dates):
    notes = []
    jumps = np.diff(np.log(close))
    for place in np.flatnonzero(np.abs(jumps) > np.log(1.7)):
        ratio = np.exp(abs(jumps[place]))
        whole = round(ratio)
        if abs(np.log(ratio / whole)) < 0.06 or abs(np.log(ratio / 1.5)) < 0.03:
            notes.append(
                f"On {dates[place + 1]} the price jumps by a factor of {ratio:.3g}, like an "
                "unadjusted split: split-adjusted prices would give a better forecast."
            )
            break
    steps = np.diff(dates).astype(int)
    if steps.size and steps.max() > max(10, 6 * np.median(steps)):
        notes.append(f"There is a gap of {steps.max()} days after {dates[steps.argmax()]}.")
    if len(close) > 1 and np.mean(jumps == 0) > 0.5:
        notes.append("The price stands still on more than half of the days.")
    return notes

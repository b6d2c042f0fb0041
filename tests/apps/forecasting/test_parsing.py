"""Columns of cells as dates and numbers, however people and programs write them."""

import numpy as np
import pytest

from apps.forecasting.reading.parsing import MAX_CELL, parse_dates, parse_numbers


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-03-05", "2024-3-6", "2024/03/07", "2024.03.08"],
        ["2024-03-05 00:00:00 UTC", "2024-03-06T09:30:00Z", "2024-03-07+00:00", "2024-03-08 04-PM"],
        ["2024-03-05 23:30:00-05:00", "2024-03-06 00:30 +0530", "2024-03-07Z", "2024-03-08 EST"],
        ["20240305", "20240306 170000", "202403071700", "20240308170000"],
        ["1709596800", "1709683200000", "1709769600000000", "1709856000000000000"],
        ["1709596800.0", "1709683200123.5", "1709769600", "1709942399"],
        ["05.03.2024", "06.03.2024", "07.03.24", "08.03.2024 17:00"],
        ["Mar 5, 2024", "Mar 06, 2024", "March 7 2024", "Fri, Mar 8, 2024"],
        ["5-Mar-24", "6 mars 2024", "7. März 2024", "8 de marzo de 2024"],
        ["Tue, 05 Mar 2024 00:00:00 GMT", "6th March 2024", "2024-Mar-07", "08 мар 2024"],
        ["2024年3月5日", "2024년 3월 6일", "2024- 03- 07", "2024 / 03 / 08"],
        ["24/03/05", "24/03/06", "24/03/07", "24/03/08"],
        ["20240305.0", "20240306.0", "20240307.0", "20240308.0"],
        ["45356", "45357", "45358.0", "45359.7083"],
        ["2024-W10-2", "2024W103", "2024-W10-4", "2024-W10-5"],
        ["2024 03 05", "2024 3 6", "2024 03 07 16:00", "2024 03 08"],
        ["05MAR2024:00:00:00", "06MAR24:00:00:00", "07-MAR-2024", "08MAR2024"],
    ],
)
def test_dates(cells):
    expected = np.arange("2024-03-05", "2024-03-09", dtype="datetime64[D]")
    np.testing.assert_array_equal(parse_dates(cells).values, expected)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1990.08", "1990.09", "1990.1", "1990.11"], [8, 9, 10, 11]),
        (["1990.1", "1990.2", "1990.10", "1990.11"], [1, 2, 10, 11]),
        (["1990-01", "1990M02", "3/1990", "Apr-90"], [1, 2, 3, 4]),
        (["1990Q1", "Q2 1990", "1990-Q3", "1990 Q4"], [1, 4, 7, 10]),
        (["1990-W02", "1990-W06", "1990-W10", "1990-W53"], [1, 2, 3, np.nan]),
    ],
)
def test_months_and_quarters(cells, expected):
    dates = parse_dates(cells).values
    months = dates.astype("datetime64[M]").astype(int) % 12 + 1.0
    np.testing.assert_array_equal(np.where(np.isnat(dates), np.nan, months), expected)


@pytest.mark.parametrize("cell", ["2023-02-30", "13/13/2023", "soon", "", "9" * 80, "12:30", "5"])
def test_what_is_no_date(cell):
    assert np.isnat(parse_dates([cell, "2024-01-31"]).values[0])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,234.5", "999"], [1234.5, 999]),
        (["1.234,5", "999,0"], [1234.5, 999]),
        (["1 234,5", "1\u202f234,5", "1\u00a0234,5"], [1234.5] * 3),
        (["12’000.18", "9'052.87"], [12000.18, 9052.87]),
        (["1,50,002", "99,999"], [150002, 99999]),
        (["₹1,50,002.50", "Rs. 99,999", "INR 12,34,567"], [150002.5, 99999, 1234567]),
        (["1.500.022", "999.000"], [1500022, 999000]),
        (["998", "999", "1.002", "1.004"], [998, 999, 1002, 1004]),
        (["5.998", "6", "6.002"], [5.998, 6, 6.002]),
        (["$.50", "US$ 1,234.5", "€3.25", "4.5 USD", "kr 7"], [0.5, 1234.5, 3.25, 4.5, 7]),
        (["(1,234.5)", "-3", "−4", "5.0-"], [-1234.5, -3, -4, -5]),
        (["١٢٣٫٤٥", "１２．５"], [123.45, 12.5]),
        (["1.5e3", "2E-05"], [1500, 2e-5]),
    ],
)
def test_numbers(cells, expected):
    numbers = parse_numbers(cells)
    np.testing.assert_allclose(numbers.values, expected)
    assert numbers.share == 1


@pytest.mark.parametrize("cell", ["abc", "A1", "2023-06-01", "12:30", "1,23,4", "1e999", "", "n/a"])
def test_what_is_no_number(cell):
    assert np.isnan(parse_numbers([cell, "1.5"]).values[0])


@pytest.mark.parametrize(("cell", "scaled"), [("68.18K", True), ("-1.16%", True), ("68.18", False)])
def test_volumes_and_percentages_are_told_from_prices(cell, scaled):
    assert parse_numbers([cell] * 3).scaled == scaled


def test_only_the_whole_column_tells_the_decimal_mark():
    assert parse_numbers(["1,234", "1,235"]).ambiguous
    np.testing.assert_allclose(parse_numbers(["1,234", "1,235"], ",").values, [1.234, 1.235])
    np.testing.assert_allclose(parse_numbers(["1,234", "0,985"]).values, [1.234, 0.985])


def test_a_long_column_is_read_as_a_short_one():
    cells = [f"{n}.5" for n in range(1000)] + ["n/a", "-"]
    numbers = parse_numbers(cells)
    np.testing.assert_allclose(numbers.values[:-2], np.arange(1000) + 0.5)
    assert np.isnan(numbers.values[-2:]).all()
    odd = parse_numbers([*cells, "$7"])
    np.testing.assert_allclose(odd.values[:1000], numbers.values[:1000])
    assert odd.values[-1] == 7


@pytest.mark.parametrize("character", ["1", " ", ",", ".", "a", "-", "’", "\u0301", "Mar "])
def test_long_cells_are_not_read(character):
    cell = character * 10 * MAX_CELL
    assert np.isnan(parse_numbers([cell]).values[0])
    assert np.isnat(parse_dates([cell]).values[0])

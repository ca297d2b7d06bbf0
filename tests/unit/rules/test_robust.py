"""The small statistics against values known elsewhere (scipy.stats 1.17, Kendall's tables), and against counting."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clo_ops.rules import robust
from clo_ops.rules.robust import Band, inflation, mann_kendall, median_absolute_deviation, sen_interval, theil_sen

RISING = [12, 10, 14, 13, 17, 15, 19, 18, 22, 20]
TIED = [5, 5, 6, 5, 7, 7, 8, 6, 9, 9, 8, 10]

# Each value 0.7 of the one before and something new; hamed_rao_modification_test of pymannkendall 1.4.3 has p = 0.2354
# and a variance 3.4196 times as large as its original_test, whose p is 0.0282.
ALIKE = [
    *(0.034, 1.414, 2.253, 1.115, 0.54, -0.084, 0.586, 0.438, 1.147, -0.943, 1.018, 0.736, 1.325, 0.929, 0.418),
    *(0.912, 1.628, 1.111, 0.808, 1.443, 0.341, -1.066, -0.132, -0.535, -2.058, -2.009, -1.619, -2.062, -2.663, -1.545),
    *(0.106, 0.141, -0.336, 0.468, 1.372, 0.996, 1.587, 2.508, 1.912, 0.897, 1.356, 1.587, 2.609, 0.949, 0.42, -0.118),
    *(-1.382, -0.397, 0.703, 0.215, 2.007, 2.707, 3.011, 3.008, 3.568, 1.682, 2.316, 2.758, 0.706, 1.393),
]


@pytest.mark.parametrize(
    ("values", "mad", "slope"),
    [([2, 3, 1, 4, 5, 7, 6], 2.0, 0.75), (RISING, 3.0, 1.25), (TIED, 1.5, 0.4772727272727273)],
)
def test_mad_and_slope_are_those_of_scipy(values, mad, slope):
    assert median_absolute_deviation(values) == mad
    assert theil_sen(list(enumerate(values))).slope == pytest.approx(slope)


def test_gaps_between_days_count_in_the_slope_and_the_line_goes_through_the_medians():
    line = theil_sen(list(zip([0, 1, 2, 5, 6, 7, 9, 12, 13, 20], RISING, strict=True)))
    assert line.slope == pytest.approx(0.7142857142857143)
    assert line.intercept == pytest.approx(11.357142857142858)
    assert line.at(10) == pytest.approx(11.357142857142858 + 7.142857142857143)


def test_a_slope_needs_two_days():
    with pytest.raises(ValueError, match="two different days"):
        theil_sen([(3, 1.0), (3, 2.0)])


def test_one_wild_morning_in_four_does_not_move_the_slope():
    points = [(day, 10.0 + day) for day in range(28)]
    wild = [(day, 1e6 if day % 4 == 0 else value) for day, value in points]
    assert theil_sen(wild).slope == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize(
    ("values", "s", "p"),
    [([1, 2, 3, 4], 6, 1 / 12), ([2, 3, 1, 4, 5, 7, 6], 15, 0.03015873015873016), (RISING, 35, 0.0009463183421516755)],
)
def test_mann_kendall_is_exact_without_ties(values, s, p):
    assert mann_kendall(values).s == s
    assert mann_kendall(values).p == pytest.approx(p)
    assert mann_kendall(values[::-1]).s == -s
    assert mann_kendall(values[::-1]).p == pytest.approx(p)


def test_the_exact_distribution_is_what_counting_all_orders_gives():
    orders = list(permutations(range(6)))
    for values in orders[::37]:
        seen = abs(mann_kendall(values).s)
        as_far = sum(abs(mann_kendall(order).s) >= seen for order in orders)
        assert mann_kendall(values).p == pytest.approx(as_far / len(orders))


def test_ties_take_the_corrected_variance_and_the_continuity_correction():
    # n = 12; ties of 3, 2, 2, 2, 2: variance (12*11*29 - 3*2*11 - 4*2*1*9) / 18.
    variance = (12 * 11 * 29 - 66 - 72) / 18
    found = mann_kendall(TIED)
    assert found.s == 47
    assert found.p == pytest.approx(math.erfc(46 / math.sqrt(variance) / math.sqrt(2)))


@pytest.mark.parametrize("values", [[], [1.0], [3.0] * 20])
def test_nothing_or_the_same_again_is_no_trend(values):
    assert mann_kendall(values).p == 1.0


@given(st.lists(st.integers(-50, 50), max_size=40))
def test_p_is_a_probability_and_only_order_counts(values):
    found = mann_kendall(values)
    assert 0 <= found.p <= 1
    assert mann_kendall([math.atan(value) for value in values]) == found


def test_the_edge_belongs_to_the_band():
    band = Band(10.0, 4.0)
    assert band.holds(14.0)
    assert band.holds(6.0)
    assert not band.holds(math.nextafter(14.0, 20))
    assert not band.holds(math.nextafter(6.0, 0))


def detrended(values):
    line = theil_sen(list(enumerate(values)))
    return [value - line.at(day) for day, value in enumerate(values)]


def test_values_that_tell_of_the_next_make_a_trend_less_certain():
    found = robust.hamed_rao(robust._autocorrelations(detrended(ALIKE)), len(ALIKE))
    assert found == pytest.approx(3.4196256379418335)
    assert mann_kendall(ALIKE, found).p == pytest.approx(0.2354358285965643)
    assert mann_kendall(ALIKE, 1.0000001).p == pytest.approx(0.02823168069051074, rel=1e-5)
    assert inflation(detrended(ALIKE)) > found, "the bias of a short series is made good"


@pytest.mark.parametrize("values", [[], [1.0, 2.0] * 3, [5.0] * 30, [1.0, 2.0] * 20])
def test_too_few_the_same_again_and_swinging_back_are_no_reason_for_doubt(values):
    assert inflation(values) == 1.0


def test_the_interval_of_the_slope_is_that_of_scipy_and_grows_with_dependence():
    points = list(enumerate(ALIKE))
    low, high = sen_interval(points, 0.9)
    # scipy.stats.theilslopes(..., 0.9): 0.006545454545454541, 0.039319999999999994
    assert (low, high) == pytest.approx((0.006545454545454541, 0.039319999999999994), abs=2e-4)
    wide = sen_interval(points, 0.9, inflation(detrended(ALIKE)))
    assert wide[0] < low < theil_sen(points).slope < high < wide[1]


def test_a_straight_line_is_certain_of_its_slope():
    assert sen_interval([(day, 3.0 * day) for day in range(10)], 0.9) == pytest.approx((3.0, 3.0))

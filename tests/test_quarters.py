"""Calendar quarters."""

from datetime import date

import pytest

from rebalancer.quarters import Quarter


@pytest.mark.parametrize(
    ("day", "quarter"),
    [
        (date(2026, 1, 1), Quarter(2026, 1)),
        (date(2024, 2, 29), Quarter(2024, 1)),
        (date(2026, 3, 31), Quarter(2026, 1)),
        (date(2026, 4, 1), Quarter(2026, 2)),
        (date(2026, 12, 31), Quarter(2026, 4)),
    ],
)
def test_a_day_lies_in_its_quarter_and_in_no_neighbour(day, quarter):
    assert Quarter.of(day) == quarter
    assert [day in each for each in (quarter.previous, quarter, quarter.next)] == [False, True, False]


def test_a_year_has_four_quarters_without_a_gap():
    quarter = Quarter(2026, 1)
    for _ in range(8):
        assert (quarter.next.start - quarter.end).days == 1
        assert quarter.next.previous == quarter
        quarter = quarter.next
    assert quarter == Quarter(2028, 1)


@pytest.mark.parametrize("text", ["2026-Q4", "2026Q4", "Q4 2026", "q4-2026", " 2026-q4 "])
def test_a_quarter_is_read_in_the_ways_people_write_it(text):
    assert Quarter.parse(text) == Quarter(2026, 4)
    assert str(Quarter.parse(text)) == "2026-Q4"


@pytest.mark.parametrize("text", ["", "2026", "2026-Q5", "Q0 2026", "FY26 Q4", "2026-10"])
def test_what_is_no_quarter_is_none(text):
    assert Quarter.parse(text) is None

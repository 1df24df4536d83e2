"""The clock of the triggers: each fires once, whatever night is missed, and day 60 is still in time."""

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.errors import InvalidInput, UsageError
from rebalancer.insight.trigger_clock import Clock, Periods, State, advance, days_left, due_on, since_when
from rebalancer.insight.trigger_state import TriggerFile, records_of, state_of

UNITS, GRR = ("M-1", "units"), ("M-1", "grr")
START = date(2026, 1, 1)


def after(day, state, *fired, unjudged=(), **periods):
    return advance(state, fired, day, unjudged, Periods(**periods))


def nights(*steps):
    """The state after runs (day, fired...), and all that happened as (day, what)."""
    state, told = State(), []
    for day, *fired in steps:
        state, events = after(day, state, *fired)
        told += [(event.day, event.what) for event in events]
    return state, told


def day(number, start=START):
    return start + timedelta(days=number)


def test_a_trigger_fires_once_however_often_it_is_seen():
    state, told = nights(*[(day(n), UNITS) for n in range(40)])
    assert told == [(START, "fired")]
    assert state.clocks == (Clock("M-1", "units", START, day(39)),)


def test_day_sixty_is_in_time_and_day_sixty_one_is_overdue():
    periods = Periods()
    assert due_on(START, periods) == date(2026, 3, 2)
    assert [days_left(START, day(n), periods) for n in (0, 59, 60, 61)] == [60, 1, 0, -1]
    assert nights((START, UNITS), (day(60), UNITS))[1] == [(START, "fired")]
    _, told = nights((START, UNITS), (day(60), UNITS), (day(61), UNITS), (day(62), UNITS))
    assert told == [(START, "fired"), (day(61), "overdue")]


@pytest.mark.parametrize(
    ("start", "due"),
    [
        (date(2024, 2, 29), date(2024, 4, 29)),
        (date(2024, 1, 1), date(2024, 3, 1)),  # a year with 29 February
        (date(2026, 1, 1), date(2026, 3, 2)),
        (date(2023, 12, 31), date(2024, 2, 29)),
    ],
)
def test_sixty_days_are_days_of_the_calendar_with_or_without_29_february(start, due):
    assert due_on(start, Periods()) == due
    assert days_left(start, due, Periods()) == 0
    assert nights((start, UNITS), (due, UNITS), (day(1, due), UNITS))[1] == [(start, "fired"), (day(1, due), "overdue")]


def test_missed_nights_change_neither_the_first_red_day_nor_what_is_told():
    state, told = nights((START, UNITS), (day(45), UNITS), (day(100), UNITS), (day(101), UNITS))
    assert since_when(state) == {"M-1": START}
    assert told == [(START, "fired"), (day(100), "overdue")]


def test_a_second_run_on_the_same_day_changes_nothing():
    once = nights((START, UNITS), (day(61), UNITS))
    assert nights((START, UNITS), (START, UNITS), (day(61), UNITS), (day(61), UNITS)) == once


def test_a_clock_that_goes_back_changes_nothing():
    state, told = nights((day(5), UNITS))
    assert after(day(4), state, UNITS, GRR) == (state, ())
    assert after(day(4), state) == (state, ())
    assert nights((day(5), UNITS), (day(4),), (day(4), GRR), (day(6), UNITS))[1] == told


def test_it_clears_when_the_book_is_back_under_and_the_day_is_kept():
    state, told = nights((START, UNITS), (day(20),), (day(21),))
    assert told == [(START, "fired"), (day(20), "cleared")]
    assert state.clocks == (Clock("M-1", "units", START, START, day(20)),)
    assert since_when(state) == {}


@pytest.mark.parametrize(("gap", "since"), [(1, START), (30, START), (31, day(51))])
def test_what_fires_again_within_thirty_days_goes_on_with_its_old_clock(gap, since):
    state, told = nights((START, UNITS), (day(20),), (day(20 + gap), UNITS))
    assert since_when(state) == {"M-1": since}
    assert told[-1] == (day(20 + gap), "fired_again" if gap <= 30 else "fired")


def test_a_fresh_firing_keeps_the_old_clock_beside_its_own():
    state, _ = nights((START, UNITS), (day(20),), (day(60), UNITS), (day(61),), (day(70), UNITS))
    assert [(clock.first_red, clock.cleared) for clock in state.clocks] == [(START, day(20)), (day(60), None)]


def test_an_overdue_book_that_clears_and_fires_again_is_overdue_again():
    _, told = nights((START, UNITS), (day(61), UNITS), (day(65),), (day(70), UNITS))
    assert [what for _, what in told] == ["fired", "overdue", "cleared", "fired_again", "overdue"]


def test_a_book_that_was_never_without_a_reason_is_late_by_the_first_of_them():
    state, told = nights((START, UNITS), (day(40), UNITS, GRR), (day(50), GRR), (day(61), GRR))
    assert since_when(state) == {"M-1": START}
    assert told[-1] == (day(61), "overdue")


def test_reasons_with_a_break_between_them_have_clocks_of_their_own():
    state, _ = nights((START, UNITS), (day(40),), (day(41), GRR))
    assert since_when(state) == {"M-1": day(41)}


def test_reasons_that_meet_on_a_day_leave_no_break():
    state, _ = nights((START, UNITS), (day(40), GRR))
    assert since_when(state) == {"M-1": START}


def test_nothing_clears_for_lack_of_data():
    state, _ = after(START, State(), UNITS, GRR)
    state, events = after(day(1), state, UNITS, unjudged=[GRR])
    assert (events, set(state.running())) == ((), {UNITS, GRR})
    assert state.running()[GRR].last_red == START
    assert after(day(2), state, UNITS)[1][0].what == "cleared"


def test_the_number_of_days_is_a_setting():
    state, _ = after(START, State(), UNITS)
    _, events = after(day(11), state, UNITS, days=10)
    assert [event.what for event in events] == ["overdue"]
    state, _ = after(day(12), state)
    assert after(day(13), state, UNITS, refire_days=0)[1][0].what == "fired"


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 23, 30), datetime(2026, 3, 29, 23, 30)),  # 23 hours apart
        ("Europe/Berlin", datetime(2026, 10, 24, 0, 30), datetime(2026, 10, 25, 0, 30)),  # 24
        ("America/New_York", datetime(2026, 3, 8, 0, 30), datetime(2026, 3, 9, 0, 30)),  # 23
        ("America/New_York", datetime(2026, 11, 1, 0, 30), datetime(2026, 11, 2, 0, 30)),  # 25
    ],
)
def test_a_change_of_time_is_one_day_like_any_other(zone, start, end):
    from rebalancer.insight.triggers import day_of

    first, then = (day_of(moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC), zone) for moment in (start, end))
    assert (then - first).days == 1
    due = day(60, first)
    assert [days_left(first, due, Periods()), days_left(first, day(1, due), Periods())] == [0, -1]


@pytest.mark.parametrize("hour", range(0, 24, 3))
@pytest.mark.parametrize("month", [date(2026, 3, 28), date(2026, 10, 24)])
def test_a_run_every_three_hours_over_a_change_of_time_fires_once(month, hour):
    from rebalancer.insight.triggers import day_of

    begin = datetime(month.year, month.month, month.day, hour, tzinfo=UTC)
    days = [day_of(begin + timedelta(hours=3 * n), "Europe/Berlin") for n in range(24)]
    assert days == sorted(days)
    assert [what for _, what in nights(*[(one, UNITS) for one in days])[1]] == ["fired"]


# Laws


STEPS = st.lists(
    st.tuples(st.integers(0, 200), st.frozensets(st.sampled_from([UNITS, GRR, ("M-2", "silence")]))), max_size=25
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_every_firing_is_told_once_and_every_clearing_ends_one(steps):
    """Whatever the order of the days: `fired` and `cleared` alternate, and the days of a clock are in order."""
    state, told = State(), []
    for number, fired in steps:
        before = state
        state, events = advance(state, fired, day(number))
        assert advance(state, fired, day(number)) == (state, ())
        told += events
        if before.day is None or day(number) >= before.day:
            assert set(state.running()) == fired
    for key in {clock.key for clock in state.clocks}:
        own = [event.what[:5] for event in told if (event.am_id, event.reason) == key]
        assert own == ["fired" if n % 2 == 0 else "clear" for n in range(len(own))]
    assert state_of(json.loads(json.dumps(records_of(state)))) == state


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 150), min_size=1, max_size=20))
def test_which_nights_are_missed_does_not_matter_while_it_lasts(numbers):
    runs = sorted({0, *numbers})
    state, told = nights(*[(day(n), UNITS) for n in runs])
    assert since_when(state) == {"M-1": START}
    late = [n for n in runs if n > 60]
    assert told == [(START, "fired"), *([(day(late[0]), "overdue")] if late else [])]


# The file


def test_the_file_keeps_what_was_saved(tmp_path):
    file = TriggerFile(tmp_path / "there" / "triggers.json")
    assert file.load() is None
    state, _ = nights((START, UNITS), (day(20), GRR))
    file.save(state)
    assert file.load() == state
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["triggers.json"]
    first = json.loads(file.path.read_text(encoding="utf-8"))["clocks"][0]
    assert first == {
        "am_id": "M-1", "reason": "grr", "first_red": "2026-01-21", "last_red": "2026-01-21", "cleared": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text[: len(text) // 2], "JSONDecodeError"),
        (lambda _: "[]", "TypeError"),
        (lambda _: "", "JSONDecodeError"),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 2'), "schema_version 2, and 1 is what"),
        (lambda text: text.replace("2026-01-01", "2026-02-30"), "day is out of range"),
        (lambda text: text.replace('"first_red": "2026-01-01"', '"first_red": "2026-01-02"'), "not in order"),
        (lambda text: text.replace('"day": "2026-01-01"', '"day": null'), "runs on after the last day"),
        (lambda text: text.replace('"am_id": "M-1"', '"am_id": 1'), "am_id and reason are text"),
        (lambda text: text.replace('"reason"', '"why"'), "KeyError"),
        (lambda text: text.replace("grr", "units"), "two clocks running"),
    ],
)
def test_a_damaged_file_is_refused_with_a_cure_and_left_as_it_is(tmp_path, change, problem):
    file = TriggerFile(tmp_path / "triggers.json")
    file.save(nights((START, UNITS, GRR))[0])
    file.path.write_text(change(file.path.read_text(encoding="utf-8")), encoding="utf-8")
    before = file.path.read_bytes()
    with pytest.raises(InvalidInput) as refused:
        file.load()
    assert problem in str(refused.value)
    assert "Restore it from a backup" in str(refused.value)
    assert file.path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="Name another place with --state"):
        TriggerFile(tmp_path / "file" / "triggers.json").save(State())


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    file = TriggerFile(tmp_path / "triggers.json")
    file.save(nights((START, UNITS))[0])
    before = file.path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UsageError, match="No space left"):
        file.save(nights((START, UNITS), (day(1),))[0])
    assert file.path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["triggers.json"]

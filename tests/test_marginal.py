"""What one more AM, one fewer and one more unit are worth: small books whose answers can be worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from small_books import book_of, write_book

import rebalancer as rb
from rebalancer.insight import marginal
from rebalancer.insight.marginal import is_concave
from rebalancer.insight.teams import fewer_in, more_capacity_in, one_more, without_floors
from rebalancer.plan import resolve_model
from rebalancer.snapshot import take_snapshot

LOSS, HANDOVER = 0.154, 2000
ENTERPRISE = "account_id,name,owner,arr,tier,region\n"


def full_books(count=6):
    """`count` enterprise accounts of $100,000 (5 units each) with one AM of 10 units."""
    return ENTERPRISE + "".join(f"A-{n},A,M-1,100000,enterprise,North\n" for n in range(count))


def worth(book, **sizing):
    """The study of a book whose AMs carry 10 units."""
    model = rb.load_model("coverage_units", {"units": {"cap": 10}, "sizing": sizing})
    return marginal(book, model, time_limit=5, workers=1)


@pytest.fixture(scope="module")
def overloaded():
    """30 units of work, one AM of 10 units; the AM that joins carries 10 as well."""
    return worth(book_of(full_books(), "am_id,name,region,capacity,cost\nM-1,Ann,North,10,90000\n"))


def test_todays_team_exposes_the_arr_that_nobody_covers(overloaded):
    base = overloaded.base
    assert (base.status, base.at_risk, base.uncovered_units) == ("over_capacity", 0, 20)
    assert base.uncovered_arr == pytest.approx(600_000 * 20 / 30)
    assert base.exposure == pytest.approx(400_000)


def test_each_am_covers_two_accounts_more_until_nothing_is_uncovered(overloaded):
    curve = overloaded.curve.set_index("ams")
    moves = 2 * (HANDOVER + LOSS * 100_000)
    saved = 200_000 - moves
    assert curve.loc[1, "value"] == pytest.approx(saved)
    assert curve.loc[1, "marginal"] == pytest.approx(saved)
    assert curve.loc[2, "value"] == pytest.approx(2 * saved)
    assert curve.loc[3, "marginal"] == pytest.approx(0)
    assert overloaded.concave is True


def test_the_parts_of_a_value_are_cover_and_moves(overloaded):
    row = overloaded.regions.set_index("change").loc["one more"]
    assert row["cover_value"] == pytest.approx(200_000)
    assert row["moves_value"] == pytest.approx(-2 * (HANDOVER + LOSS * 100_000))
    assert row["value"] == pytest.approx(row["cover_value"] + row["moves_value"])
    assert row["value_low"] == row["value_high"] == row["value"]
    assert row["cost"] == 90_000


def test_the_last_am_of_a_region_can_not_leave(overloaded):
    assert overloaded.regions.set_index("change").loc["one fewer", "status"] == "impossible"
    assert overloaded.curve["ams"].tolist() == [0, 1, 2, 3]


def test_more_capacity_has_its_price_per_unit(overloaded):
    row = overloaded.regions.set_index("change").loc["more capacity"]
    assert row["per_unit"] == pytest.approx(row["value"])  # one AM, one unit
    assert row["value"] == pytest.approx(600_000 / 30)


def test_a_team_with_room_gains_nothing_from_one_more_am_and_the_curve_is_concave():
    rows = ENTERPRISE + "a,A,M-1,100000,enterprise,North\nb,B,M-2,100000,enterprise,North\n"
    found = worth(book_of(rows, "am_id,name,region\nM-1,Ann,North\nM-2,Ben,North\n"), marginal_ams=2)
    assert found.base.status == "no_change"
    curve = found.curve.set_index("ams")
    assert curve["value"].tolist() == [pytest.approx(-(HANDOVER + LOSS * 100_000), abs=1), 0, 0, 0]
    assert found.concave is True
    assert found.base.proven
    assert "one fewer" in found.regions["change"].tolist()


def test_the_next_am_goes_where_he_saves_most():
    rows = full_books(6) + "".join(f"S-{n},S,M-2,90000,enterprise,South\n" for n in range(3))
    found = worth(book_of(rows, "am_id,name,region,capacity\nM-1,Ann,North,10\nM-2,Ben,South,10\n"), marginal_ams=3)
    assert found.regions["region"].unique().tolist() == ["North", "South"]
    assert found.curve.loc[found.curve["ams"] == 1, "region"].item() == "North"
    best = found.regions[found.regions["change"] == "one more"].set_index("region")["value"]
    assert found.curve.loc[found.curve["ams"] == 1, "value"].item() == best.max()


# Concavity is observed


@pytest.mark.parametrize(
    ("exposure", "uncertain", "answer"),
    [
        ([100, 60, 30, 10], [0, 0, 0, 0], True),
        ([100, 60, 20, 0], [0, 0, 0, 0], True),
        ([100, 90, 30], [0, 0, 0], False),
        ([100, 90, 30], [0, 30, 0], None),
        ([100, 60, 30], [5, 0, 6], None),
        ([100, 60, 30], [5, 0, 5], True),
        ([100, 60], [0, 0], True),
        ([100, np.nan, 30], [0, 0, 0], None),
        ([100, 60, 30], [np.inf, 0, 0], None),
    ],
)
def test_a_curve_is_called_concave_only_where_it_is(exposure, uncertain, answer):
    assert is_concave(pd.DataFrame({"exposure": exposure, "uncertain": uncertain}, dtype=float)) is answer


# Teams


def snapshot(book):
    return take_snapshot(book, resolve_model(book, None), "full", "accounts")


def test_one_more_am_is_in_a_pod_with_the_csms_of_his_region_and_changes_no_frame_of_the_book():
    text = "account_id,name,owner,arr,csm,region\na,A,M-1,1,C-1,North\n"
    tables = {"csms": "csm_id,name\nC-1,D\nC-2,E\n", "pods": "pod_id,am_id,csm_id\nP,M-1,C-1\nQ,M-2,C-2\n"}
    book = book_of(text, "am_id,name,region\nM-1,Ann,North\nM-2,Ben,South\nNEW-AM-1,Di,South\n", **tables)
    more, am = one_more(book, "North")
    assert am == "NEW-AM-2"
    assert more.pods[more.pods["am_id"] == am]["csm_id"].tolist() == ["C-1"]
    assert len(book.ams) == 3
    assert more.ams.dtypes.equals(book.ams.dtypes)
    assert snapshot(more).ams.tiers[snapshot(more).ams.numbers([am])[0]].all()
    assert rb.propose(more, time_limit=5).status == "no_change"


def test_the_am_with_the_fewest_units_leaves_and_only_receiving_ones_do():
    book = book_of(
        "account_id,name,owner,arr,tier\na,A,M-1,1,strategic\nb,B,M-2,1,smb\nc,C,M-3,1,smb\n",
        "am_id,name,role\nM-1,Ann,\nM-2,Ben,manager\nM-3,Cy,\n",
    )
    less, am = fewer_in(snapshot(book), "")
    assert am == "M-3"
    assert snapshot(less).ams.departed.tolist() == [False, False, True]
    assert (
        fewer_in(snapshot(book_of("account_id,name,owner,arr\na,A,M,1\n", "am_id,name,role\nM,A,manager\n")), "")[1]
        == ""
    )


def test_more_capacity_counts_part_time_and_ramp():
    book = book_of(
        "account_id,name,owner,arr\na,A,M-1,1\n", "am_id,name,fte,ramp,capacity\nM-1,Ann,0.5,,40\nM-2,Ben,,0.2,\n"
    )
    raised, units = more_capacity_in(snapshot(book), "")
    assert units == pytest.approx(0.7)
    assert raised.ams["capacity"].tolist() == [41, 101]


def test_floors_are_lifted():
    book = book_of("account_id,name,owner,arr\na,A,M-1,1\n", "am_id,name,floor\nM-1,Ann,\nM-2,Ben,0.5\n")
    assert without_floors(book).ams["floor"].isna().all()
    assert book.ams["floor"].tolist()[1] == 0.5


# The command


def test_the_command_tells_each_solve_on_stderr_and_the_values_on_stdout(run, tmp_path):
    ams = "am_id,name,region,capacity\nM-1,Ann,North,10\n"
    book = write_book(tmp_path / "book", full_books(3), ams, "[overrides.sizing]\nmarginal_ams = 1\n")
    result = run("size", book, "--marginal", "--time-limit", "5s", "--workers", "1")
    assert result.code == 0
    assert "solving for today's team" in result.err
    assert "What a change of the team is worth" in result.out
    as_json = run("size", book, "--marginal", "--time-limit", "5s", "--workers", "1", "--json").json
    assert [row["ams"] for row in as_json["marginal_curve"]] == [0, 1]
    assert as_json["concave"] is True

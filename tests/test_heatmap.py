"""The heatmap: benchmarks, largest accounts, silence and retention of every book, and books together."""

import csv
import json

import pandas as pd
import pytest
from helpers import book_of, snapshot_of
from hypothesis import given, settings
from hypothesis import strategies as st
from small_books import write_book

import rebalancer as rb
from rebalancer.cli import main
from rebalancer.insight.heatmap import heatmap_of, heatmap_report
from rebalancer.metrics import GROUPS, benchmark_frame, books_frame, group_frame, top_accounts
from rebalancer.tables import TIERS

DAY = "2026-03-31"


def accounts_of(*mixes, arr=100):
    """Accounts of books E-1, E-2, ...: each mix counts its accounts by tier."""
    rows = [
        f"{book}-{tier}-{n:03d},E-{book},{tier},{arr}"
        for book, mix in enumerate(mixes, start=1)
        for tier, count in mix.items()
        for n in range(count)
    ]
    return "account_id,owner,tier,arr\n" + "\n".join(rows)


def benchmark_of(overrides=None, **mix):
    snapshot = snapshot_of(book_of(accounts_of(mix), "am_id\nE-1\nE-9"), overrides=overrides)
    return benchmark_frame(snapshot).iloc[0]


@pytest.mark.parametrize(
    ("tier", "count", "position"),
    [
        ("strategic", 9, "below"),
        ("strategic", 10, "within"),
        ("strategic", 25, "within"),
        ("strategic", 26, "above"),
        ("enterprise", 24, "below"),
        ("enterprise", 25, "within"),
        ("enterprise", 50, "within"),
        ("enterprise", 51, "above"),
        ("mid_market", 79, "below"),
        ("mid_market", 80, "within"),
        ("mid_market", 150, "within"),
        ("mid_market", 151, "above"),
        ("smb", 299, "below"),
        ("smb", 300, "within"),
        ("smb", 301, "within"),
    ],
)
def test_the_benchmark_ratios_are_those_of_the_source(tier, count, position):
    row = benchmark_of(**{tier: count})
    assert (row["main_tier"], row["benchmark"]) == (tier, position)


def test_a_book_of_several_tiers_is_held_against_all_of_them_at_once():
    row = benchmark_of(enterprise=30, mid_market=75)  # 30/50 + 75/150 = 1.1 AMs at the upper ends
    assert (row["main_tier"], row["benchmark"], row["benchmark_least"]) == ("mid_market", "above", 1.1)
    assert row["benchmark_most"] == 2.1375  # 30/25 + 75/80
    assert benchmark_of(enterprise=25, mid_market=75)["benchmark"] == "within"  # exactly one AM
    assert benchmark_of(enterprise=5, mid_market=5)["main_tier"] == "mixed"


def test_an_empty_book_has_no_benchmark():
    snapshot = snapshot_of(book_of(accounts_of({"smb": 1}), "am_id\nE-1\nE-2"))
    assert benchmark_frame(snapshot).loc[1, ["main_tier", "benchmark"]].tolist() == ["", ""]


def test_the_benchmarks_are_settings_also_where_they_make_no_sense():
    no_upper = {"benchmarks": {"enterprise": [25, "none"]}}
    assert benchmark_of(no_upper, enterprise=500)["benchmark"] == "within"
    assert benchmark_of({"benchmarks": {"enterprise": [0, 0]}}, enterprise=1)["benchmark"] == "above"
    assert benchmark_of({"benchmarks": {"enterprise": [0, 5]}}, enterprise=1)["benchmark"] == "within"


def test_the_largest_accounts_of_a_book_are_in_order_and_ties_go_by_id():
    accounts = "account_id,name,owner,arr\n" + "\n".join(
        ["d,D,E-1,50", "a,A,E-1,70", "c,C,E-1,50", "b,B,E-2,10", "e,E,,99", "f,F,E-1,-1"]
    )
    top = top_accounts(snapshot_of(book_of(accounts)), 3)
    assert top[["am_id", "rank", "account_id", "name"]].to_numpy().tolist() == [
        ["E-1", 1, "a", "A"], ["E-1", 2, "c", "C"], ["E-1", 3, "d", "D"], ["E-2", 1, "b", "B"],
    ]  # fmt: skip


BOOK = "account_id,name,owner,arr,tier,last_touch,grr_forecast,nrr_forecast\n" + "\n".join(
    [
        "a,Acme,E-1,300,enterprise,2026-01-30,0.9,1.1",
        "b,Bolt,E-1,100,smb,2026-03-30,0.5,0.5",
        "c,Core,E-2,100,smb,,,",
        "d,Dune,,100,smb,,,",
    ]
)
AMS = "am_id,name,manager,region,capacity\nE-1,Ann,Zoe,EMEA;APAC,100\nE-2,Ben,,,50\nE-3,Cy,Zoe,EMEA,100"


def test_a_book_of_the_heatmap_has_its_largest_accounts_silence_and_retention():
    heat = heatmap_of(snapshot_of(book_of(BOOK, AMS, day=DAY), overrides={"heatmap": {"top_accounts": 1}}))
    row = heat.books.set_index("am_id").loc["E-1"]
    figures = ["top_accounts", "top_share", "silent_accounts", "silent_key_accounts", "unattended_days"]
    assert row[figures].tolist() == [("a",), 0.75, 1, 1, 60]
    assert row[["grr_forecast", "nrr_forecast", "grr_known", "manager", "region"]].tolist() == [
        0.8, 0.95, 1.0, "Zoe", "APAC; EMEA",
    ]  # fmt: skip
    empty = heat.books.set_index("am_id").loc["E-3"]
    assert (empty["top_accounts"], empty["silent_accounts"]) == ((), 0)
    assert empty[["top_share", "grr_forecast", "unattended_days"]].isna().all()
    assert heat.unowned == 1


def test_silence_that_is_not_known_is_missing_and_not_zero():
    heat = heatmap_of(snapshot_of(book_of(BOOK, AMS, day=DAY)))
    assert pd.isna(heat.books.set_index("am_id").loc["E-2", "silent_accounts"])
    assert heat.missing == ()


def test_what_the_book_lacks_is_named_and_one_source_of_touches_is_enough():
    bare = "account_id,owner\na,E-1"
    lacks = ("accounts.grr_forecast", "accounts.nrr_forecast")
    assert heatmap_report(book_of(bare)).missing == (*lacks, "accounts.last_touch", "touches")
    assert heatmap_report(book_of(bare, touches="account_id,date\na,2025-12-01")).missing == lacks
    grouped = heatmap_report(book_of(bare)).by("region")
    assert grouped["silent_accounts"].isna().all()


def test_the_library_call_gives_the_books():
    frame = rb.heatmap(book_of(BOOK, AMS, day=DAY))
    assert frame["am_id"].tolist() == ["E-1", "E-2", "E-3"]
    assert {"utilization", "benchmark", "top_accounts", "silent_accounts", "grr_forecast"} <= set(frame)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("manager", {"Zoe": 2, "(no manager)": 1}),
        ("region", {"APAC; EMEA": 1, "EMEA": 1, "(any region)": 1}),
        ("tier", {"mixed": 1, "smb": 1, "(no accounts)": 1}),
    ],
)
def test_every_book_is_in_one_group(by, groups):
    heat = heatmap_of(snapshot_of(book_of(BOOK, AMS, day=DAY)))
    assert heat.by(by).set_index(by)["books"].to_dict() == groups


def test_a_group_adds_up_its_books_and_weighs_retention_by_arr():
    heat = heatmap_of(snapshot_of(book_of(BOOK.replace("c,Core,E-2", "c,Core,E-3"), AMS, day=DAY)))
    row = heat.by("manager").set_index("manager").loc["Zoe"]
    assert row[["books", "green", "units", "capacity", "utilization", "accounts", "arr"]].tolist() == [
        2, 2, 5.4, 200.0, 0.027, 3, 500,
    ]  # fmt: skip
    assert row["grr_forecast"] == 0.8


def test_a_group_has_the_capacity_of_those_who_are_there():
    ams = "am_id,manager,status,leaves_on,capacity\nE-1,Zoe,active,,100\nE-2,Zoe,open,,40\nE-3,Zoe,,2026-01-01,20"
    snapshot = snapshot_of(book_of("account_id,owner,tier\na,E-1,smb\nb,E-3,smb", ams, day=DAY))
    row = group_frame(snapshot, "manager").iloc[0]
    assert row[["books", "units", "capacity", "accounts"]].tolist() == [3, 0.4, 100.0, 2]


def test_a_pool_is_in_the_group_of_its_members_managers():
    ams = "am_id,manager\nE-1,Zoe\nE-2,Yan\nE-3,Zoe"
    book = book_of("account_id,owner\na,P-1", ams, pools="pool_id,am_id\nP-1,E-1\nP-1,E-3")
    assert heatmap_of(snapshot_of(book)).books.set_index("am_id")["manager"].to_dict() == {"P-1": "Zoe", "E-2": "Yan"}


def test_an_unknown_group_is_refused_with_the_nearest():
    with pytest.raises(rb.UsageError, match=r'no grouping by "regions"; .* Did you mean "region"'):
        heatmap_report(book_of(BOOK, AMS)).by("regions")


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["E-1", "E-2", "E-3", ""]), st.sampled_from(TIERS), st.integers(-5, 10**7)),
        min_size=1,
        max_size=12,
    )
)
def test_books_groups_and_the_proposal_tell_the_same_figures(accounts):
    """One place computes them: whatever shows a book, its sums reconcile."""
    rows = "\n".join(f"a{n:02d},{owner},{tier},{arr}" for n, (owner, tier, arr) in enumerate(accounts))
    snapshot = snapshot_of(book_of(f"account_id,owner,tier,arr\n{rows}", AMS, day=DAY))
    heat = heatmap_of(snapshot)
    books = books_frame(snapshot, snapshot.accounts.owner).set_index("am_id")
    mine = heat.books.set_index("am_id").loc[books.index]
    for name in ("units", "utilization", "band", "accounts", "arr"):
        assert mine[name].tolist() == books[f"{name}_before"].tolist()
    assert mine["accounts"].sum() + heat.unowned == len(accounts)
    assert (mine[list(TIERS)].sum(axis=1) == mine["accounts"]).all()
    used = (mine["utilization"] * mine["capacity"]).sum()
    for by in GROUPS:
        groups = heat.by(by)
        assert groups[["books", "accounts", "arr"]].sum().tolist() == [3, mine["accounts"].sum(), mine["arr"].sum()]
        assert groups["units"].sum() == pytest.approx(mine["units"].sum())
        assert (groups["utilization"] * groups["capacity"]).sum() == pytest.approx(used, abs=0.05)
        assert (groups[["green", "yellow", "red"]].sum(axis=1) == groups["books"]).all()
    for am_id, own in heat.top.groupby("am_id"):
        assert own["arr"].tolist() == sorted(own["arr"], reverse=True)
        assert len(own) == min(5, mine.loc[am_id, "accounts"])


# The command


@pytest.fixture
def call(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_book(tmp_path / "book", BOOK, AMS)

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            main(["heatmap", "book", "--effective-date", DAY, *args])
        streams = capsys.readouterr()
        return ended.value.code, streams.out, streams.err

    return run


def test_the_table_shows_silence_and_retention_where_they_are_known(call):
    code, out, err = call()
    assert code == 0
    assert "silent" in out
    fullest = next(line for line in out.splitlines() if line.split()[:1] == ["E-1"])
    assert fullest.split()[-4:] == ["$400", "1", "80", "%"]
    assert err == "note: 1 account in no book.\n"


def test_top_and_detail_limit_and_widen_the_table(call):
    _, out, _ = call("--top", "1", "--detail")
    assert out.startswith("The 1 fullest of 3 books")
    assert "0/1/0/1" in out
    assert "Ben" not in out


@pytest.mark.parametrize("by", GROUPS)
def test_the_books_can_be_shown_by_group(call, by):
    code, out, _ = call("--by", by)
    assert (code, out.splitlines()[0].strip()) == (0, f"3 books by {by}, model coverage_units, {DAY}")


def test_csv_has_every_row_and_column(call, tmp_path):
    call("--csv", "out/heat.csv", "--top", "1")
    with (tmp_path / "out" / "heat.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["am_id"], row["top_accounts"], row["silent_accounts"]) for row in rows] == [
        ("E-1", "a;b", "1"), ("E-2", "c", ""), ("E-3", "", "0"),
    ]  # fmt: skip
    call("--by", "manager", "--csv", "groups.csv")
    assert (tmp_path / "groups.csv").read_text(encoding="utf-8").startswith("manager,books,green,yellow,red,units")


def test_json_names_the_largest_accounts_and_has_null_for_what_is_not_known(call):
    rows = json.loads(call("--json")[1])["books"]
    assert rows[0]["top_accounts"][0] == {"account_id": "a", "name": "Acme", "tier": "enterprise", "arr": 300}
    assert (rows[1]["silent_accounts"], rows[1]["grr_forecast"]) == (None, None)
    groups = json.loads(call("--by", "tier", "--json")[1])
    assert (groups["by"], len(groups["groups"]), groups["unowned"]) == ("tier", 3, 1)


@pytest.mark.parametrize("args", [("--explain", "E-1", "--detail"), ("--by", "tier", "--top", "1"), ("--by", "am")])
def test_options_that_do_not_go_together_are_refused(call, args):
    assert call(*args)[0] == 2


def test_a_narrow_terminal_leaves_out_what_matters_least(monkeypatch, capsys):
    from rich.console import Console

    from rebalancer.cli import heatmap as command

    monkeypatch.setattr(command, "console", lambda: Console(width=100, highlight=False))
    command.print_books(rb.heatmap(book_of(BOOK, AMS, day=DAY)), "Books")
    header = capsys.readouterr().out.splitlines()[2]
    assert header.split() == ["AM", "name", "band", "binding", "limit", "accounts", "ARR", "silent", "GRR"]

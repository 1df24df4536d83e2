"""The benchmarks themselves: their books are what they promise, their peers are judged, and the whole of it runs."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import rebalancer as rb

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from benchmarks import books, figures, gap, memory, plots, report, suite  # noqa: E402
from benchmarks.cases import ALL, CASES, SMOKE, named  # noqa: E402
from benchmarks.child import step  # noqa: E402
from benchmarks.instance import Instance, instance_of  # noqa: E402
from benchmarks.peers import PEERS  # noqa: E402
from benchmarks.peers.answer import History  # noqa: E402
from rebalancer.coverage import load_model  # noqa: E402
from rebalancer.plan import resolve_model  # noqa: E402
from rebalancer.snapshot import take_snapshot  # noqa: E402

SIZE = {"blended": (1_800, 100)}
"""Accounts and AMs where the family doesn't fit 1,000 x 40."""


def small(family, seed=0):
    return books.book(family, *SIZE.get(family, (1_000, 40)), seed)


def snapshot_of(book):
    return take_snapshot(book, resolve_model(book, None), "full", "revenue_at_risk")


# Books


@pytest.mark.parametrize("family", books.FAMILIES)
def test_every_family_makes_tight_books_of_which_a_third_to_a_half_are_over(family):
    for seed in range(3):
        snapshot = snapshot_of(small(family, seed))
        used = snapshot.accounts.units.sum() / snapshot.ams.capacity.sum()
        over = float((snapshot.held > snapshot.unit_limits).mean())
        assert 0.949 <= used <= 0.981
        assert 0.30 <= over <= 0.50


@pytest.mark.parametrize("family", books.FAMILIES)
def test_a_seed_gives_the_same_book_and_another_seed_another(family):
    first, again, other = small(family), small(family), small(family, seed=1)
    assert all(frame.equals(again.tables[name]) for name, frame in first.tables.items())
    assert not first.accounts["arr"].equals(other.accounts["arr"])


@pytest.mark.parametrize("family", books.FAMILIES)
def test_a_book_in_files_is_the_book_from_frames(family, tmp_path):
    books.write(family, *SIZE.get(family, (1_000, 40)), 0, tmp_path)
    read, made = rb.load_book(tmp_path), small(family)
    assert all(frame.equals(made.tables[name]) for name, frame in read.tables.items())
    assert resolve_model(read, None) == resolve_model(made, None)
    assert read.effective_date == made.effective_date


def test_an_account_may_go_anywhere_in_its_region_and_nowhere_else():
    for family, components in (("regional", 2), ("wide", 1)):
        problem = instance_of(small(family)).problem
        assert len(problem.components()) == components
        assert problem.n_arcs == 1_000 * 40 // components


def test_without_csms_a_move_costs_the_same_wherever_the_account_goes():
    problem = instance_of(small("regional")).problem
    assert max(len(set(costs) - {0}) for costs in by_group(problem)) == 1


def test_with_csms_leaving_the_pod_costs_1_6_times_what_staying_in_it_does():
    book = small("regional-csm")
    pods = book.pods.groupby("csm_id")["am_id"].nunique()
    assert set(pods) == {4}
    for costs in by_group(instance_of(book).problem):
        assert len(set(costs)) <= 3
        inside, outside = sorted(set(costs) - {0})
        assert outside == pytest.approx(1.6 * inside, abs=1.5)


def by_group(problem):
    ends = np.flatnonzero(np.diff(problem.arc_group)) + 1
    return [part.tolist() for part in np.split(problem.levels[1].arc_cost, ends)]


def test_blended_books_hold_twenty_and_families_have_two_to_six_members():
    assert (small("blended").ams["book"] == "blended").all()
    parents = small("families").accounts["parent_id"]
    sizes = parents[parents != ""].value_counts()
    assert 2 <= sizes.min() <= sizes.max() <= 6
    assert sizes.sum() > 200


def test_seats_of_the_pods_family_are_pairs():
    problem = instance_of(small("pods")).problem
    assert all(" + " in seat for seat in problem.seats)
    assert np.bincount(problem.arc_group).max() == 2 * 20


# Cases


def test_every_case_names_a_family_peers_that_exist_and_a_target():
    for name, case in CASES.items():
        assert case.name == name
        assert case.family in books.FAMILIES
        assert set(case.peers) <= set(PEERS)
        assert case.target.endswith(f"in {case.target_seconds:g} s")


def test_no_name_is_the_small_cases_and_all_is_every_case_but_the_smoke():
    assert {case.accounts <= 2_000 for case in named(())} == {True}
    assert {case.name for case in named(("all",))} == set(CASES) - {"smoke"}
    assert named(("wide-8k",)) == [CASES["wide-8k"]]


# Peers


@pytest.fixture(scope="module")
def tiny():
    return instance_of(books.book("regional-csm", 240, 12))


@pytest.mark.parametrize("name", PEERS)
def test_a_peers_plan_is_complete_and_judged_by_the_problem_alone(tiny, name):
    answer = PEERS[name].run(tiny, 3, 0, 1)
    judged = tiny.judged(answer.chosen)
    assert judged["plan"]
    values = tiny.problem.values(answer.chosen)
    assert judged["legal"] == (values[0] == 0 and tiny.problem.is_complete(answer.chosen))
    assert judged["legal"] == (judged["over_limit"] == 0)
    assert judged["value"] == values[1]
    assert (answer.bound is not None) <= PEERS[name].bounds
    if judged["legal"]:
        assert answer.history[-1][1] == judged["value"]
        assert answer.bound is None or answer.bound <= judged["value"]


def test_a_plan_that_breaks_a_limit_is_not_legal(tiny):
    judged = tiny.judged(tiny.problem.today)
    assert not judged["legal"]
    assert judged["over_limit"] > 0
    assert judged["moves"] == judged["value"] == 0
    assert tiny.judged(None) == {"plan": False, "legal": False}


def test_moves_and_arr_are_those_of_the_accounts_whose_am_changes(tiny):
    chosen = PEERS["waterfall"].run(tiny, 3, 0, 1).chosen
    assert tiny.judged(chosen)["moves"] <= (chosen != tiny.problem.today).sum()
    assert tiny.judged(chosen)["moves"] > 0
    assert tiny.judged(chosen)["arr_moved"] > 0


def test_an_instance_survives_its_file(tiny, tmp_path):
    tiny.save(tmp_path / "instance.pickle")
    again = Instance.load(tmp_path / "instance.pickle")
    assert (again.cost == tiny.cost).all()
    assert again.problem.groups == tiny.problem.groups


HIGHS_LOG = """
 J       0       0         0   0.00%   -inf            94962952           Large        0      0      0         0     1s
         0       0         0   0.00%   2164243.59175   94962952          97.72%        0      0      2      2248     2s
 C       0       0         0   0.00%   2164243.59175   3000000.2         27.86%     38    378     26      7571    10s
  Dual bound        2190623
"""
SCIP_LOG = """
 time | node  | left  |LP iter|mdpt |vars |cons |rows |  dualbound   | primalbound  |  gap   | compl.
p 1.7s|     1 |     0 |     0 |   0 |  80k|2051 |2050 | 0.000000e+00 | 6.590556e+06 |    Inf | unknown
  4.2s|     1 |     0 |  2840 |   0 |  80k|2051 |2050 | 2.164244e+06 | 6.590556e+06 | 204.52%| unknown
"""


def test_bounds_and_values_are_read_from_the_logs_of_the_solvers():
    from benchmarks.peers.mathopt_model import HIGHS, SCIP, note_line

    for log, pattern, first, last in (
        (HIGHS_LOG, HIGHS, (94962952, None), (3000000, 2164244)),
        (SCIP_LOG, SCIP, (6590556, 0), (6590556, 2164244)),
    ):
        history = History()
        for line in log.splitlines():
            note_line(line, pattern, history)
        assert history.points[0][1:] == first
        assert history.points[-1][1:] == last


# Steps


def test_a_step_that_fails_says_why_without_naming_a_place(tmp_path):
    failed = step("peer", tmp_path / "a.json", 60, name="cpsat", instance=tmp_path / "none", seconds=1, seed=0)
    assert failed["failed"].startswith("FileNotFoundError: ")
    assert "/" not in failed["failed"]


def test_a_step_that_takes_too_long_is_killed(tmp_path):
    request = {"family": "wide", "accounts": 1_000_000, "ams": 1_000, "seed": 0, "folder": tmp_path}
    assert step("write", tmp_path / "a.json", 0.5, **request)["failed"] == "killed after 0.5 s"


def test_a_method_that_failed_is_on_the_page_without_figures(tmp_path, smoked):
    record, _ = smoked
    failed = {"failed": "killed after 5 s", "peak_mb": 9, "limit": 1, "date": "2026-01-01"}
    suite.keep({**record, "methods": dict.fromkeys(record["methods"], failed)}, tmp_path)
    page = report.write_page(tmp_path).read_text(encoding="utf-8")
    assert "**missed**: killed after 5 s" in page
    assert page.count("| no plan |") == len(record["methods"])
    assert "0 of 1 targets" in page


# Figures


def test_gaps_times_and_contradictions():
    ours = {"plan": True, "legal": True, "value": 100, "bound": 95, "history": [(1, 120, 90), (3, 100, 95)]}
    other = {"plan": True, "legal": True, "value": 110, "bound": 98, "history": [(2, 110, 98)]}
    illegal = {"plan": True, "legal": False, "value": 50, "history": []}
    record = {"methods": {"rebalancer": ours, "cpsat": other, "weighted": illegal}}
    assert figures.best_bound(record) == 98
    assert figures.gap_to_best(ours, 98) == pytest.approx(0.02)
    assert figures.gap_to_best(illegal, 98) is None
    assert figures.own_gap(ours) == pytest.approx(0.05)
    assert figures.times(ours, 98) == {0.02: 3.0, 0.01: None, 0.005: None, 0.001: None}
    assert figures.contradictions(record) == []
    record["methods"]["cpsat"]["bound"] = 105
    assert figures.contradictions(record) == ["rebalancer has a legal plan at 100, below the bound 105 of cpsat"]


def test_a_target_needs_the_proven_gap_in_the_time_of_the_whole_path():
    ours = {"legal": True, "value": 100, "bound": 99, "seconds": 20, "search_seconds": 15, "violations": 0}
    ours["history"] = [(4, 120, 90), (8, 100, 99)]
    record = {"methods": {"rebalancer": ours}, "target": {"gap": 0.01, "seconds": 13}}
    assert figures.seconds_to_target(record) == 5 + 8
    assert figures.reached(record)
    assert not figures.reached({**record, "target": {"gap": 0.01, "seconds": 12}})
    assert not figures.reached({**record, "target": {"gap": 0.001, "seconds": 60}})


def test_growth_is_the_exponent_of_time_over_size():
    assert figures.growth([(1_000, 1), (10_000, 100)]) == pytest.approx(2)
    assert figures.growth([(1_000, 1)]) is None


def test_peak_memory_counts_what_children_hold():
    hold = "import subprocess, sys, time; b = bytearray({0}); b[::4096] = bytes(len(b[::4096])); {1}"
    inner = hold.format(60 << 20, "time.sleep(2)")
    outer = hold.format(40 << 20, f"subprocess.run([sys.executable, '-c', {inner!r}])")
    process = subprocess.Popen([sys.executable, "-c", outer])
    with memory.PeakMemory(process.pid) as watched:
        process.wait()
    if memory.PROC.is_dir():
        assert watched.peak > 100 << 20
    assert threading.active_count() < 20


# The literature


needs_literature = pytest.mark.skipif(
    not (gap.folder_of() / gap.BEST_KNOWN).is_file(), reason="the generalized assignment instances are not here"
)


def test_an_instance_of_the_literature_is_read_agent_by_agent(tmp_path):
    (tmp_path / "x").write_text("2 3\n 1 2 3\n 4 5 6\n 7 8 9\n 10 11 12\n 15 20\n")
    problem = gap.read_problem(tmp_path / "x")
    assert (len(problem.groups), problem.n_arcs, problem.rows.hi.tolist()) == (3, 6, [15, 20])
    chosen = np.array([0, 3, 5])  # job 0 to agent 0, jobs 1 and 2 to agent 1
    assert problem.values(chosen) == (0, 1 + 5 + 6)
    assert not problem.is_complete(chosen)  # 11 + 12 > 20
    assert problem.is_complete(np.array([0, 2, 5]))  # 7 + 8 <= 15, 12 <= 20


@needs_literature
@pytest.mark.parametrize("name", ["gap1-0", "gap2-3"])
def test_a_small_instance_of_the_literature_is_solved_to_its_best_known_value(name):
    known = {row["instance"]: row["best_known"] for row in gap.best_known(gap.folder_of())}
    answer = gap.solved(gap.folder_of() / name, 5, 0)
    assert answer["legal"]
    assert answer["value"] == known[name]
    assert answer["bound"] <= known[name]


# The whole of it


@pytest.fixture(scope="module")
def smoked(tmp_path_factory):
    """The record of the smoke case with all peers, kept, and the folder of its page."""
    out = tmp_path_factory.mktemp("bench")
    record = suite.run_case(SMOKE, 1, 0, True, lambda _: None)
    suite.keep(record, out)
    report.write_page(out)
    return record, out


def test_the_smoke_case_runs_with_every_peer(smoked):
    record, _ = smoked
    assert set(record["methods"]) == {"rebalancer", *ALL}
    assert not [name for name, method in record["methods"].items() if "failed" in method]
    assert record["contradictions"] == []
    ours = record["methods"]["rebalancer"]
    assert ours["legal"]
    assert ours["violations"] == 0
    assert {"read", "build", "write", "verify"} <= set(ours["phases"])
    assert record["problem"]["components"] == 1


def test_a_record_names_no_host_and_no_path(smoked):
    _, out = smoked
    text = suite.file_of(out, "smoke", 0).read_text(encoding="utf-8")
    assert "/" not in text
    assert json.loads(text)["machine"]["cores"] >= 1


def test_the_page_states_every_target_and_every_method(smoked):
    _, out = smoked
    page = (out / report.PAGE).read_text(encoding="utf-8")
    assert "of 1 targets are reached" in page
    assert not [peer.title for peer in PEERS.values() if f"| {peer.title} |" not in page]
    for picture in ("gap_over_time.png", "methods.png"):
        assert f"(plots/{picture})" in page
        assert (out / "plots" / picture).stat().st_size > 1_000


def test_peers_of_the_same_book_are_kept_where_only_ours_is_run_again(smoked, tmp_path):
    record, _ = smoked
    suite.keep(record, tmp_path)
    alone = {**record, "problem": {}, "methods": {"rebalancer": record["methods"]["rebalancer"]}}
    suite.keep(alone, tmp_path)
    assert set(suite.records(tmp_path)[0]["methods"]) == {"rebalancer", *ALL}
    suite.keep({**alone, "book_sha256": "another"}, tmp_path)
    assert set(suite.records(tmp_path)[0]["methods"]) == {"rebalancer"}


def test_without_records_there_is_a_page_without_plots(tmp_path):
    assert plots.draw([], tmp_path / "plots") == []
    assert "0 of 0 targets" in report.write_page(tmp_path).read_text(encoding="utf-8")


# The command


def test_the_command_makes_the_page_of_what_was_measured(run, smoked):
    _, out = smoked
    done = run("bench", "results", "--out", out, "--json")
    assert done.code == 0
    assert done.json["records"] == []
    assert Path(done.json["page"]) == out / report.PAGE


def test_an_unknown_case_is_named_with_the_nearest(run):
    done = run("bench", "regional-10", "--json")
    assert done.code == 2
    assert 'no benchmark "regional-10"' in done.json["error"]["message"]
    assert "regional-1k" in done.json["error"]["message"]


def test_without_the_instances_the_command_says_where_to_put_them(run, monkeypatch, tmp_path):
    monkeypatch.setenv("REBALANCER_SHARED", str(tmp_path))
    done = run("bench", "gap", "--out", tmp_path)
    assert done.code == 2
    assert "REBALANCER_SHARED" in done.err


def test_help_on_benchmarks_loads_neither_pandas_nor_the_solver(tmp_path):
    code = (
        "import sys\nfrom rebalancer.cli import main\ntry:\n    main(['bench', '--help'])\nexcept SystemExit as end:\n"
    )
    code += "    assert end.code == 0\nassert not {'pandas', 'numpy', 'ortools', 'benchmarks'} & set(sys.modules)\n"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path)


def test_the_model_of_the_books_is_one_that_is_shipped():
    assert load_model(books.MODEL).name == books.MODEL

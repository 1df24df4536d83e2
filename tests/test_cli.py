"""The command line: streams, JSON, exit codes, signals, and text that cannot steer a terminal."""

import importlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import click
import pytest
from small_books import ACCOUNTS, AMS, CSMS, OWNED, PODS, TIGHT_AMS, WIDE_AMS, WITH_CSMS, bytes_of, write_book

import rebalancer.plan
from rebalancer.certificate import Multipliers
from rebalancer.cli import COMMANDS, LazyGroup, cli, main
from rebalancer.cli.output import counted, percent
from rebalancer.cli.propose import progress_line
from rebalancer.engine import Progress, component
from rebalancer.engine.cpsat import Answer
from rebalancer.verify import Violation, verify_run

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]")
LOCKED = (
    ACCOUNTS.replace("tier\n", "tier,lock\n").replace("mid_market\n", "mid_market,true\n").replace("ise\n", "ise,\n")
)
"""The account of the AM who leaves is locked, which draws a warning."""


@pytest.fixture
def here(monkeypatch):
    """The search runs in this process, where a test can change its parts."""
    monkeypatch.setenv("REBALANCER_ISOLATE", "0")


@pytest.fixture
def book(tmp_path):
    return write_book(tmp_path / "book")


@pytest.fixture
def written(run, book):
    """A run directory."""
    assert run("propose", book, "--out", "run", "--workers", 1).code == 0
    return book.parent / "run"


def leaves(group=cli, path=()):
    """Every command that does something, with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


def as_ends(text):
    """Lines without the blanks that fill a table."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" ─")]


# Every command


LEAVES = {" ".join(words): command for words, command in leaves()}


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_says_what_it_does_and_knows_json(name):
    command = LEAVES[name]
    assert command.help.strip().endswith((".", "it."))
    assert "--json" in [option for parameter in command.params for option in parameter.opts]
    nameless = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert nameless == []


def test_help_lists_every_command_with_a_whole_sentence(run):
    shown = run("--help")
    assert (shown.code, shown.err) == (0, "")
    listed = dict(line.split(maxsplit=1) for line in shown.out.split("Commands:\n")[1].splitlines())
    assert list(listed) == list(COMMANDS)
    assert all(text.endswith(".") and not text.endswith("...") for text in listed.values())


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_no_error(run, flag):
    assert run(flag).out == run("--help").out


def test_the_version_is_that_of_the_package(run):
    assert re.fullmatch(r"rebalancer, version \d+\.\d+\.\d+\n", run("--version").out)


def test_the_module_can_be_run(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "rebalancer", "--version"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "rebalancer,", "")


# Results and where they go


def test_propose_prints_what_a_planner_needs_and_writes_a_run(run, book, tmp_path):
    result = run("propose", book, "--out", "run", "--workers", 1)
    lines = as_ends(result.out)
    assert (result.code, result.err) == (0, "")
    assert lines[:2] == [
        "3 of 7 accounts move (2 of them forced), $310,000 ARR, $34,840 at risk.",
        "No legal plan costs less: $34,840 at risk (by the certificate).",
    ]
    assert "3 of 3 books change" in lines
    assert "M-1 20.0 15.0 15 133 % red 100 % yellow 4 3 -1" in lines
    assert "M-2 5.0 17.0 20 25 % green 85 % yellow 1 4 +3" in lines[5:]
    leaver = re.compile(r"A-07 .* M-3 M-2 mid_market \$90,000 \$14,360 Its owner M-3 leaves;")
    assert any(leaver.match(line) for line in lines)
    assert lines[-3] == "80.0 % of the accounts whose owner stays keep that owner."
    assert re.fullmatch(r"Written to run in \d+\.\d s, checked without the solver\.", lines[-2])
    assert lines[-1] == "Next: rebalancer explain run --account A-04 rebalancer verify run"
    assert verify_run(tmp_path / "run") == []


def test_a_run_goes_to_runs_under_its_id_by_default(run, book, tmp_path):
    record = run("propose", book, "--json", "--workers", 1).json
    assert record["run_directory"] == f"runs/{record['run_id']}"
    assert verify_run(tmp_path / "runs" / record["run_id"]) == []


def test_a_healthy_book_needs_no_change(run, tmp_path):
    result = run("propose", write_book(tmp_path / "book", OWNED, WIDE_AMS), "--out", "run", "--workers", 1)
    assert result.code == 0
    assert result.out.splitlines()[:2] == [
        "No change is needed.",
        "No legal plan costs less: $0 at risk (by the certificate).",
    ]


@pytest.mark.parametrize(
    ("measure", "proof"),
    [
        ("accounts", r"No legal plan costs less: 2 [a-z ,]+ \(by the certificate\)\."),
        ("units", r"No legal plan costs less: 7(\.00)? units [a-z ,]+ \(by the certificate\)\."),
    ],
)
def test_the_proof_is_told_in_the_measure_that_was_minimised(run, book, measure, proof):
    assert re.fullmatch(proof, run("propose", book, "--out", "run", "--measure", measure).out.splitlines()[1])


def test_warnings_go_to_stderr_and_results_to_stdout(run, tmp_path):
    result = run("propose", write_book(tmp_path / "book", LOCKED), "--out", "run")
    assert result.code == 0
    assert result.err.startswith("warning: ")
    assert "warning" not in result.out
    assert run("check", tmp_path / "book").err == result.err


def test_check_says_where_the_book_stands(run, book):
    result = run("check", book)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "accounts: 7 rows read from accounts.csv: 7 kept, 0 rejected.",
        "ams: 3 rows read from ams.csv: 3 kept, 0 rejected.",
        "7 accounts with $1,070,000 ARR and 32.00 units; 3 AMs, 0 CSMs; effective 2026-01-15, model coverage_units.",
        "Books over a limit: 1. Accounts without an owner: 1, of somebody who has left: 1, locked: 0.",
        "enterprise: 2 books of mostly this tier, 2 accounts each: below the benchmark 25-50.",
        "mid_market: 1 book of mostly this tier, 1 accounts each: below the benchmark 80-150.",
        "The book can be used.",
    ]


def test_heatmap_shows_the_fullest_book_first(run, book):
    lines = as_ends(run("heatmap", book).out)
    assert lines == [
        "3 books, model coverage_units, 2026-01-15",
        "AM name role book units capacity used band binding limit accounts benchmark ARR",
        "M-1 Ann regular open 20.0 15.0 133 % red units 133 % 4 below $770,000",
        "M-2 Ben regular open 5.0 20.0 25 % green units 25 % 1 below $110,000",
        "M-3 Cy regular open 2.0 15.0 13 % green units 13 % 1 below $90,000",
    ]


def test_explain_says_why_and_what_else_would_cost(run, written):
    result = run("explain", written, "--account", "A-04")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0] == "A-04 (enterprise, 5 units, $120,000 ARR) moves from M-1 to M-2."
    assert lines[1].startswith("The book of M-1 is over its limit (20 units, 15 allowed); M-2 (Ben) ends at 85")
    assert lines[2:] == [
        "Revenue at risk: $20,480.",
        "Other seats, all other accounts as planned (best first):",
        "  M-1: disruption -20,480, breaks units cap of M-1",
    ]


def test_verify_confirms_a_run(run, written):
    result = run("verify", written)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"Verified: {written} keeps every rule, and every figure was recounted from its inputs.\n"


def test_models_are_listed_and_shown_as_toml_that_can_be_used(run, book, tmp_path):
    assert "coverage_units" in run("models", "list").out
    (tmp_path / "mine.toml").write_text(run("models", "show", "blended").out, encoding="utf-8")
    assert run("check", book, "--model", "mine.toml").code == 0


def test_doctor_names_every_check(run):
    result = run("doctor")
    assert result.code == 0
    assert all(line.startswith("ok    ") for line in result.out.splitlines())
    assert "ok    solver: right optima on the model family of OR-tools issue 5293" in result.out.splitlines()


def test_doctor_fails_where_something_does_not_work(run, monkeypatch):
    monkeypatch.setattr("rebalancer.engine.sentinel.wrong_optima", lambda: ["a case"])
    result = run("doctor")
    assert result.code == 1
    assert "FAIL  solver: RuntimeError: the solver gives wrong optima: a case." in result.out
    assert run("doctor", "--json").json["checks"][2]["ok"] is False


def test_demo_shows_the_sample_book_before_and_after(run, book, monkeypatch):
    monkeypatch.setattr("rebalancer.shipped.shipped", lambda _: book)
    result = run("demo")
    assert result.code == 0
    assert result.out.splitlines()[0] == f"The sample book: {book}"
    assert "As it stands: 7 accounts in 3 books" in result.out
    assert verify_run("runs/demo") == []


def test_a_share_is_blank_where_there_is_none():
    assert [percent(share) for share in (0.5, None, float("nan"), float("inf"))] == ["50 %", "", "", ""]


def test_one_is_singular():
    assert [counted(n, "move") for n in (0, 1, 1_000)] == ["0 moves", "1 move", "1,000 moves"]


def test_the_progress_line_shows_best_bound_gap_moves_and_parts():
    state = Progress(best=200, bound=150, moves=7, done=1, components=3, seconds=4.2)
    assert progress_line(state) == "best 200, bound 150, gap 25.00 %, 7 moves, 1 of 3 parts done, 4 s"
    assert progress_line(Progress(None, None, 0, 0, 1, 0.0)) == "no plan yet, 0 moves, 0 s"


# JSON


PROPOSAL_KEYS = {
    *("schema_version", "run_id", "status", "legal", "stopped", "scope", "measure", "levels", "disruption", "moves"),
    *("continuity", "inputs", "model", "model_sha256", "seed", "versions", "warnings", "run_directory"),
}
DOCUMENTS = {
    "propose": (("propose", "book", "--out", "run2"), PROPOSAL_KEYS),
    "init": (("init", "--from", "book/accounts.csv", "book/ams.csv", "--out", "made"), {"book", "files", "missing"}),
    "check": (("check", "book"), {"ok", "accounts", "ams", "csms", "arr", "units", "triggered", "warnings"}),
    "heatmap": (("heatmap", "book"), {"model", "effective_date", "books", "by", "unowned", "missing"}),
    "triggers": (
        ("triggers", "book"),
        {"model", "effective_date", "books", "triggers", "cleared", "events", "overdue", "missing", "state"},
    ),
    "audit": (("audit", "book"), {"model", "quarter", "running", "team", "tiers", "ams", "trend", "missing", "notes"}),
    "scorecard": (("scorecard", "book"), {"model", "quarter", "scores", "trend", "forecast", "missing", "notes"}),
    "touch-model": (("touch-model", "book"), {"quarter", "previous", "accounts", "shares", "missing", "notes"}),
    "size": (("size", "book"), {"check", "needed", "chart", "factors", "csm_bands", "csm_people", "missing", "notes"}),
    "holds": (("holds", "book"), {"model", "effective_date", "rules", "aes", "accounts", "missing", "notes"}),
    "programme": (("programme", "book"), {"families", "regions", "gams", "pairs", "splits", "problems", "missing"}),
    "models calibrate": (
        ("models", "calibrate", "book"),
        {"source", "units_before", "units_after", "tiers", "books", "notes", "missing", "written"},
    ),
    "verify": (("verify", "run", "--certificate"), {"ok", "violations", "certificate"}),
    "bench": (("bench", "results", "--out", "figures"), {"page", "records"}),
    "explain": (("explain", "run", "--account", "A-04"), {"account_id", "from_am", "to_am", "reason", "seats"}),
    "compare": (("compare", "run", "run"), {"runs", "same_plan", "inputs", "options", "figures", "accounts", "books"}),
    "models list": (("models", "list"), {"models"}),
    "models show": (("models", "show", "pods"), {"model"}),
    "doctor": (("doctor",), {"checks"}),
    "demo": (("demo", "--out", "demo"), PROPOSAL_KEYS),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_json_is_one_document_with_the_documented_keys(run, written, book, monkeypatch, name):
    monkeypatch.setattr("rebalancer.shipped.shipped", lambda _: book)
    args, keys = DOCUMENTS[name]
    result = run(*args, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json["schema_version"] == 1
    assert keys <= set(result.json)


ELSEWHERE = {"export", "import-decisions", "import-results", "nightly", "status"}
"""Their documents are tested with their files, in `test_salesforce_export.py` and those of the two imports; those of
`proposals` in `test_proposals_cli.py`; of the nights, in `test_nightly_cli.py` and `test_status.py`.
"""


def test_every_command_has_its_document_tested():
    of_the_store = {name for name in LEAVES if name.startswith("proposals ")}
    assert set(LEAVES) == set(DOCUMENTS) | ELSEWHERE | of_the_store


def test_json_of_the_heatmap_has_the_columns_of_a_book(run, book):
    first = run("heatmap", book, "--json").json["books"][0]
    assert (first["am_id"], first["utilization"], first["band"], first["binding"]) == ("M-1", 1.3333, "red", "units")


def test_what_is_no_number_is_null_in_json(run, tmp_path):
    ams = AMS.replace("M-3,Cy,15,2026-01-01", "M-3,Cy,0,")
    rows = run("heatmap", write_book(tmp_path / "book", ams=ams), "--json").json["books"]
    last = next(row for row in rows if row["am_id"] == "M-3")
    assert (last["utilization"], last["binding_share"], last["accounts"]) == (None, None, 1)
    assert "nan" not in run("heatmap", tmp_path / "book").out + run("heatmap", tmp_path / "book").err


# Exit codes


def test_an_unknown_command_is_a_usage_error_with_the_nearest_one(run):
    result = run("prpose")
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1] == 'Error: No such command "prpose". Did you mean "propose"?'


def test_no_command_at_all_shows_the_commands(run):
    result = run()
    assert result.code == 2
    assert "Commands:" in result.out + result.err


USAGE = {
    "unknown command": (("frobnicate",), 'No such command "frobnicate".'),
    "unknown option": (("propose", "book", "--bogus"), "No such option '--bogus'"),
    "no book": (("propose",), "Missing argument 'BOOK'."),
    "no such book": (
        ("propose", "nowhere"),
        'there is no book directory "nowhere". It holds accounts.csv, ams.csv and others.',
    ),
    "unknown model": (
        ("propose", "book", "--model", "podss"),
        'there is no coverage model "podss". Did you mean "pods"? Models: ',
    ),
    "no such model file": (("check", "book", "-m", "no.toml"), 'there is no coverage model file "no.toml".'),
    "bad date": (
        ("heatmap", "book", "--effective-date", "15.1.2026"),
        '"15.1.2026" is not a date. Write it as YYYY-MM-DD.',
    ),
    "bad scope": (("propose", "book", "--scope", "ful"), "'ful' is not one of 'full', 'repair'."),
    "bad duration": (("propose", "book", "--time-limit", "soon"), '"soon" is not a duration such as 60s, 2m or 1h'),
    "no time": (("propose", "book", "--time-limit", "0s"), '"0s" is not a duration'),
    "bad gap": (("propose", "book", "--gap", "1"), "1.0 is not in the range 0<=x<1."),
    "no workers": (("propose", "book", "--workers", "0"), "0 is not in the range x>=1."),
    "no run": (("verify", "book"), '"book" is no run directory: it has no manifest.json.'),
    "no run to explain": (("explain", "book", "--account", "x"), "`rebalancer propose` writes one."),
    "unknown account": (("explain", "run", "--account", "A-7"), 'there is no account "A-7" in this run. Did you mean'),
    "unknown model to show": (("models", "show", "blendet"), 'Did you mean "blended"?'),
    "a place that is taken": (
        ("propose", "book", "--out", "book"),
        '"book" holds files that are not a run. Choose an empty or new place with --out.',
    ),
}


@pytest.mark.parametrize("name", USAGE)
def test_what_cannot_be_meant_is_a_usage_error(run, written, name):
    args, message = USAGE[name]
    plain, machine = run(*args), run(*args, "--json")
    assert (plain.code, plain.out) == (2, "")
    assert message in " ".join(plain.err.split())
    assert plain.err.lower().count("error:") == 1
    assert (machine.code, machine.err) == (2, "")
    assert machine.json["schema_version"] == 1
    assert machine.json["error"]["exit_code"] == 2
    assert message in machine.json["error"]["message"]


def test_bad_input_shows_every_fault_with_place_and_cure(run, tmp_path):
    bad = ACCOUNTS.replace("300000", "12k").replace("A-05,Echo,M-2", "A-05,Echo,M-9").replace("A-06", "A-01")
    book = write_book(tmp_path / "book", bad)
    plain, machine = run("propose", book), run("propose", book, "--json")
    assert (plain.code, plain.out) == (3, "")
    assert plain.err.splitlines() == [
        'error: accounts.csv row 2, column arr, value "12k": not a plain number. '
        "Write plain digits with a point, such as 120000 or 0.75, without currency signs or separators.",
        'error: accounts.csv row 7, column account_id, value "A-01": the same account_id as in row 2. '
        "Keep one of the two rows.",
        'error: accounts.csv row 6, column owner, value "M-9": there is no such am_id in ams. '
        "Add it to ams, or correct it.",
        "3 errors; nothing was written.",
    ]
    assert (machine.code, machine.err) == (3, "")
    error = machine.json["error"]
    assert (error["kind"], error["exit_code"], len(error["faults"])) == ("InvalidInput", 3, 3)
    assert error["faults"][0] == {
        "code": "number",
        "problem": "not a plain number.",
        "cure": "Write plain digits with a point, such as 120000 or 0.75, without currency signs or separators.",
        "file": "accounts.csv",
        "row": 2,
        "column": "arr",
        "value": "12k",
    }
    assert not (tmp_path / "runs").exists()


def test_of_many_faults_the_first_are_shown_and_the_rest_counted(run, tmp_path):
    rows = "".join(f"B-{n},x,M-1,none,smb\n" for n in range(25))
    book = write_book(tmp_path / "book", ACCOUNTS + rows)
    assert run("check", book).err.splitlines()[-2:] == [
        "error: and 5 more; --json lists all.",
        "25 errors; nothing was written.",
    ]
    assert len(run("check", book, "--json").json["error"]["faults"]) == 25


def test_a_book_over_capacity_is_marked_explained_and_written(run, tmp_path):
    book = write_book(tmp_path / "book", ams=TIGHT_AMS)
    plain, machine = run("propose", book, "--out", "run"), run("propose", book, "--out", "run2", "--json")
    assert plain.code == machine.code == 4
    lines = plain.out.splitlines()
    assert lines[1] == (
        "NOT LEGAL. No legal plan exists; this is the plan with the least overload found, not one to apply."
    )
    assert lines[2].startswith(
        "No plan with this overload costs less: $34,840 at risk (solver-proven). The multipliers"
    )
    assert "32 units" in lines[3]
    assert "2 short" in lines[3]
    assert re.fullmatch(r"M-[12] ends with 17 units, at most 15 allowed \(units cap\)\.", lines[4])
    assert verify_run(tmp_path / "run") == []
    record = machine.json
    assert (record["status"], record["legal"]) == ("over_capacity", False)
    assert record["shortages"] == lines[3:5]


def test_a_model_that_says_stop_writes_nothing_over_capacity(run, tmp_path):
    settings = '[overrides.limits]\nwhen_over_capacity = "stop"\n'
    book = write_book(tmp_path / "book", ams=TIGHT_AMS, settings=settings)
    plain, machine = run("propose", book), run("propose", book, "--json")
    assert plain.code == machine.code == 4
    assert plain.err.startswith("error: no legal plan exists. ")
    assert "2 short" in plain.err
    assert machine.json["error"]["kind"] == "NoLegalPlan"
    assert not (tmp_path / "runs").exists()


def silent(*_):
    """A solver that finds nothing."""
    return Answer("unknown", None, None)


def proves_little(part, task, _):
    """A certificate of every group's cheapest arc."""
    return Multipliers.least(part, task.level), 0


def test_no_plan_in_the_time_has_its_own_code_and_leaves_nothing(run, book, here, monkeypatch, tmp_path):
    monkeypatch.setattr(component, "start_plans", lambda _: [])
    monkeypatch.setattr(component, "minimise", silent)
    monkeypatch.setattr(component, "certify", proves_little)
    plain, machine = run("propose", book, "--time-limit", "2s"), run("propose", book, "--time-limit", "2s", "--json")
    assert plain.code == machine.code == 5
    assert plain.err.startswith("error: no plan was found in 2 s for the accounts A-0")
    assert machine.json["error"]["kind"] == "NoPlanInTime"
    assert not (tmp_path / "runs").exists()


def test_a_failed_search_gives_the_baseline_marked_as_such(run, book, here, monkeypatch, tmp_path):
    monkeypatch.setattr(component, "minimise", silent)
    monkeypatch.setattr(component, "certify", proves_little)
    plain = run("propose", book, "--out", "run")
    assert plain.code == 0
    assert plain.out.splitlines()[2] == "The search found no better plan than the one made step by step without it."
    assert "solver-proven" not in plain.out
    record = json.loads((tmp_path / "run" / "proposal.json").read_text(encoding="utf-8"))
    assert (record["status"], record["legal"], record["stopped"]) == ("baseline", True, "time")
    assert verify_run(tmp_path / "run") == []


def test_a_gap_above_the_one_asked_for_fails_only_when_strict(run, book, here, monkeypatch):
    monkeypatch.setattr(component, "minimise", silent)
    monkeypatch.setattr(component, "certify", proves_little)
    assert run("propose", book, "--out", "run").code == 0
    assert run("propose", book, "--out", "run", "--strict-gap").code == 6
    assert run("propose", book, "--out", "run", "--strict-gap", "--gap", "0.99").code == 0
    assert run("propose", book, "--out", "run", "--strict-gap", "--json").json["levels"][1]["proof"] is None


def test_a_proven_plan_passes_the_strict_gap(run, book):
    assert run("propose", book, "--out", "run", "--strict-gap").code == 0


def test_a_plan_that_fails_its_check_is_not_written(run, book, monkeypatch, tmp_path):
    found = [Violation("units_cap", "M-1 holds 20 units, 15 allowed")]
    monkeypatch.setattr(rebalancer.plan, "verify_tables", lambda *_, **__: found)
    plain, machine = run("propose", book), run("propose", book, "--json")
    assert plain.code == machine.code == 7
    assert plain.err.splitlines() == [
        "error: the plan failed its independent check; nothing is written:",
        "  units_cap: M-1 holds 20 units, 15 allowed",
    ]
    assert machine.json["error"]["kind"] == "CheckFailed"
    assert not (tmp_path / "runs").exists()


def test_moves_that_are_not_those_of_the_plan_fail_the_check_before_anything_is_written(run, book, monkeypatch):
    made = rebalancer.plan.make_proposal

    def one_short(*args):
        proposal = made(*args)
        return replace(proposal, moves=proposal.moves.iloc[1:])

    monkeypatch.setattr(rebalancer.plan, "make_proposal", one_short)
    plain = run("propose", book)
    assert plain.code == 7
    assert re.search(r"moves\.csv, account_id A-0\d: the row is missing", plain.err)


def test_verify_rejects_an_edited_run(run, written):
    file = written / "assignments.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("A-01,M-1,M-1", "A-01,M-1,M-2"), encoding="utf-8")
    plain, machine = run("verify", written), run("verify", written, "--json")
    assert plain.code == machine.code == 7
    assert plain.out.startswith("REJECTED: ")
    assert "manifest: assignments.csv is not as it was written: its sha256 differs" in plain.err.splitlines()
    assert machine.json["ok"] is False
    assert {"rule", "message"} <= set(machine.json["violations"][0])


def test_explain_refuses_an_edited_run(run, written):
    (written / "moves.csv").write_text("account_id\n", encoding="utf-8")
    result = run("explain", written, "--account", "A-04")
    assert result.code == 3
    assert result.err.splitlines()[0] == (
        "error: moves.csv: is not as it was written. Propose again, or restore the file."
    )


@pytest.mark.parametrize(("accounts", "ams", "code"), [(ACCOUNTS, AMS, 10), (OWNED, WIDE_AMS, 0)])
def test_the_detailed_exit_code_tells_moves_from_none(run, tmp_path, accounts, ams, code):
    book = write_book(tmp_path / "book", accounts, ams)
    assert run("propose", book, "--out", "run", "--detailed-exitcode").code == code


def test_an_unexpected_error_is_told_without_a_traceback(run, book, monkeypatch):
    def breaks(*_, **__):
        raise RuntimeError("boom \x1b[31m")

    monkeypatch.setattr("rebalancer.book.load_book", breaks)
    plain, machine = run("propose", book), run("propose", book, "--json")
    assert (plain.code, plain.out) == (1, "")
    assert plain.err.splitlines() == [
        "error: RuntimeError: boom \\x1b[31m",
        "This is a fault of rebalancer, not of your data. REBALANCER_DEBUG=1 shows where.",
    ]
    assert machine.json["error"] == {"kind": "RuntimeError", "exit_code": 1, "message": "boom \x1b[31m"}


def test_an_unexpected_error_can_be_traced(book, monkeypatch):
    monkeypatch.setenv("REBALANCER_DEBUG", "1")
    monkeypatch.setattr("rebalancer.book.load_book", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["check", str(book)])


def test_a_full_disk_is_told_and_leaves_nothing(run, book, monkeypatch, tmp_path):
    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = run("propose", book, "--out", "run")
    assert result.code == 1
    assert result.err == "error: can't write run: No space left on device; nothing was left there.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


# Interruption


def interrupted_wait(monkeypatch, times=1):
    """Ctrl-C arrives while the main thread waits for the search."""
    searching = importlib.import_module("rebalancer.engine.search")
    wait, left = searching.wait, [times]

    def waits(*args, **how):
        if left[0]:
            left[0] -= 1
            raise KeyboardInterrupt
        return wait(*args, **how)

    monkeypatch.setattr(searching, "wait", waits)


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_ctrl_c_during_the_search_writes_the_best_plan_it_has(run, book, here, monkeypatch, tmp_path, json_flag):
    interrupted_wait(monkeypatch)
    result = run("propose", book, "--out", "run", *json_flag)
    assert result.code == 130
    record = json.loads((tmp_path / "run" / "proposal.json").read_text(encoding="utf-8"))
    assert (record["stopped"], record["legal"]) == ("interrupt", True)
    assert verify_run(tmp_path / "run") == []
    if not json_flag:
        assert "The search was interrupted; this is the best plan it had." in result.out


def test_a_second_ctrl_c_quits_and_writes_nothing(run, book, here, monkeypatch, tmp_path):
    interrupted_wait(monkeypatch, times=2)
    result = run("propose", book, "--out", "run")
    assert (result.code, result.out) == (130, "")
    assert result.err.strip() == "error: interrupted."
    assert not (tmp_path / "run").exists()


def test_ctrl_c_before_there_is_a_plan_writes_nothing(run, book, here, monkeypatch, tmp_path):
    interrupted_wait(monkeypatch)
    monkeypatch.setattr(component, "start_plans", lambda _: [])
    monkeypatch.setattr(component, "minimise", silent)
    monkeypatch.setattr(component, "certify", proves_little)
    result = run("propose", book, "--json")
    assert result.code == 130
    assert result.json["error"]["exit_code"] == 130
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


def test_ctrl_c_before_the_search_writes_nothing(run, book, monkeypatch, tmp_path):
    def stops(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(rebalancer.plan, "formulate", stops)
    result = run("propose", book)
    assert result.code == 130
    assert "Traceback" not in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


SEARCHES = """
import sys, time
from pathlib import Path
from rebalancer.cli import main
from rebalancer.engine import component
from rebalancer.engine.cpsat import Answer

def searches(problem, task, hint, effort, stop, report=None):
    Path("searching").touch()
    while not stop.requested:
        time.sleep(0.01)
    return Answer("unknown", None, None)

component.minimise = searches
if "--no-start" in sys.argv:
    component.start_plans = lambda problem: []
main(["propose", "book", "--out", "run"])
"""
"""A search that ends only when it is stopped."""

WRITES = """
import os, signal
from rebalancer.cli import main
sync = os.fsync

def signalled(fd):
    os.kill(os.getpid(), SIGNAL)
    sync(fd)

os.fsync = signalled
main(["propose", "book", "--out", "run"])
"""
"""The signal arrives at every file that is written."""


def signalled(tmp_path, number, *flags):
    """A search in its own process that gets a signal: exit code and stderr."""
    code = subprocess.Popen(
        [sys.executable, "-c", SEARCHES, *flags],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "searching").exists() and code.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    code.send_signal(number)
    err = code.communicate(timeout=60)[1]
    return code.returncode, err


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_during_the_search_writes_the_best_plan_it_has(book, here, tmp_path, number, code):
    assert signalled(tmp_path, number) == (code, "")
    record = json.loads((tmp_path / "run" / "proposal.json").read_text(encoding="utf-8"))
    assert record["stopped"] == "interrupt"
    assert verify_run(tmp_path / "run") == []


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_before_there_is_a_plan_writes_nothing(book, here, tmp_path, number, code):
    assert signalled(tmp_path, number, "--no-start") == (code, "error: stopped before there was a plan.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book", "searching"]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_while_writing_leaves_the_run_whole_or_absent(book, tmp_path, number, code):
    script = WRITES.replace("SIGNAL", str(int(number)))
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    left = [path.name for path in tmp_path.iterdir() if path.name != "book"]
    assert left == (["run"] if number == signal.SIGTERM else [])
    assert not left or verify_run(tmp_path / "run") == []


# Terminals and pipes


def on_a_terminal(args, cwd, **environment):
    """What a command prints on a terminal."""
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLORTERM")}
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "rebalancer", *args],
        cwd=cwd, stdin=follower, stdout=follower, stderr=follower,
        env={**kept, "TERM": "xterm-256color", "COLUMNS": "150", **environment},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65_536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait(timeout=60) == 0
    return shown.decode("utf-8")


def test_a_terminal_gets_colours_unless_they_are_refused(book, tmp_path):
    assert COLOUR.search(on_a_terminal(["heatmap", "book"], tmp_path))
    refused = on_a_terminal(["heatmap", "book"], tmp_path, NO_COLOR="1")
    assert "M-1" in refused
    assert not COLOUR.search(refused)


def test_progress_shows_on_a_terminal_and_leaves_no_trace_elsewhere(book, tmp_path):
    assert "searching" in on_a_terminal(["propose", "book", "--out", "run"], tmp_path)


@pytest.mark.parametrize(
    "args", [("propose", "book", "--out", "r"), ("heatmap", "book"), ("models", "list"), ("--help",)]
)
def test_what_is_no_terminal_gets_no_control_codes(run, book, args):
    result = run(*args)
    assert "\x1b" not in result.out + result.err
    assert "…" not in result.out


def test_names_cannot_steer_the_terminal(run, tmp_path):
    accounts = ACCOUNTS.replace("A-04", "A\x1b[31m4")
    ams = AMS.replace("M-2,Ben", "M-2,[red]Be\x1b[2Jn\x07").replace("Ann", "[/bold]A\u202enn")
    book = write_book(tmp_path / "book", accounts, ams)
    shown = [run("heatmap", book), run("propose", book, "--out", "run"), run("check", book)]
    shown.append(run("explain", "run", "--account", "A\x1b[31m4"))
    shown.append(run("explain", "run", "--account", "A\x1b[31m5"))
    shown.append(run("propose", write_book(tmp_path / "tight", accounts.replace("M-2", "M\x1b2"), TIGHT_AMS)))
    text = "".join(result.out + result.err for result in shown)
    assert [result.code for result in shown] == [0, 0, 0, 0, 2, 3]
    assert not set("\x1b\x07\u202e") & set(text)
    assert "[red]Be\\x1b[2Jn\\x07" in shown[0].out
    assert "[/bold]A\\u202enn" in shown[0].out
    assert "A\\x1b[31m4" in shown[1].out
    assert shown[3].out.startswith("A\\x1b[31m4 (enterprise")


def test_names_are_whole_in_json(run, tmp_path):
    book = write_book(tmp_path / "book", ams=AMS.replace("M-2,Ben", "M-2,[red]Be\x1b[2Jn"))
    result = run("heatmap", book, "--json")
    assert "\x1b" not in result.out
    assert "[red]Be\x1b[2Jn" in [row["name"] for row in result.json["books"]]


@pytest.mark.parametrize(
    "args", [("models", "show", "pods"), ("models", "list"), ("heatmap", "book"), ("heatmap", "book", "--json")]
)
def test_a_closed_pipe_ends_quietly(book, tmp_path, args):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "rebalancer", *args], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_reader_that_stops_early_gets_its_line(book, tmp_path):
    command = f"{sys.executable} -m rebalancer models show pods | head -1"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_pods_and_csms_are_told_and_written(run, tmp_path):
    book = write_book(tmp_path / "book", WITH_CSMS, csms=CSMS, pods=PODS)
    result = run("propose", book, "--out", "run")
    assert result.code == 0
    assert re.search(r"; \d CSM changes?, \d pods? broken\.", result.out.splitlines()[0])
    assert set(bytes_of(tmp_path / "run")) >= {"csms.csv", "inputs/pods.csv", "inputs/csms.csv"}


def test_the_group_knows_its_commands_without_loading_them():
    assert isinstance(cli, LazyGroup)
    assert cli.get_command(click.Context(cli), "no such") is None

"""Relief: a book that retention or silence fires ends at 85 % of its capacity, where that is asked for."""

import json

import pytest
from helpers import book_of, snapshot_of
from small_books import write_book

import rebalancer as rb
from rebalancer.cli import main
from rebalancer.coverage import load_model
from rebalancer.metrics import trigger_frame
from rebalancer.verify import verify_run
from rebalancer.verify.ledger import Ledger

DAY = "2026-03-31"
AMS = "am_id,name,capacity\nM-1,Ann,20\nM-2,Ben,40"
LOSING = "account_id,name,owner,arr,tier,grr_forecast,last_touch\n" + "\n".join(
    f"A-{n},N{n},M-1,150000,enterprise,0.8,2026-03-30" for n in range(4)
)
"""M-1 holds 20 of 20 units, with a forecast of 80 %."""

SILENT = LOSING.replace("0.8,", "0.99,").replace("2026-03-30", "2026-01-30")
RELIEVE = {"triggers": {"relieve": True}}


def proposal_of(accounts=LOSING, ams=AMS, overrides=None, **options):
    options = {"scope": "repair", "time_limit": 10, "workers": 1, **options}
    return rb.propose(book_of(accounts, ams, day=DAY), load_model("coverage_units", overrides), **options)


def held(proposal):
    return dict(zip(proposal.books["am_id"], proposal.books["units_after"], strict=True))


@pytest.mark.parametrize("accounts", [LOSING, SILENT])
def test_a_book_that_is_not_over_its_load_is_not_relieved_unless_that_is_asked_for(accounts):
    proposal = proposal_of(accounts)
    assert proposal.status == "no_change"


@pytest.mark.parametrize("accounts", [LOSING, SILENT])
@pytest.mark.parametrize("scope", ["repair", "full"])
def test_where_the_model_relieves_a_book_that_fires_beside_load_ends_at_85_percent(accounts, scope):
    proposal = proposal_of(accounts, overrides=RELIEVE, scope=scope)
    assert held(proposal) == {"M-1": 15, "M-2": 5}
    assert proposal.legal


def test_where_the_model_relieves_a_book_that_fires_for_nothing_is_left_alone():
    healthy = LOSING.replace("0.8,", "0.95,")
    assert proposal_of(healthy, overrides=RELIEVE).status == "no_change"


def test_one_book_can_be_relieved_whatever_fired_it():
    healthy = LOSING.replace("0.8,", "0.95,")
    assert held(proposal_of(healthy, relieve=["M-1"])) == {"M-1": 15, "M-2": 5}


def test_the_relief_of_the_model_is_what_counts():
    overrides = {"triggers": {"relieve": True, "relief": 0.5}}
    assert held(proposal_of(overrides=overrides)) == {"M-1": 10, "M-2": 10}


def test_a_relief_above_the_target_gives_nothing_more_than_the_target():
    overrides = {"triggers": {"relieve": True, "relief": 2}}
    assert proposal_of(overrides=overrides).status == "no_change"


def test_relieving_a_member_relieves_its_pool():
    ams = "am_id,name,capacity\nM-1,Ann,20\nM-2,Ben,40\nM-3,Cy,0"
    book = book_of(LOSING.replace("enterprise", "smb"), ams, pools="pool_id,am_id\nP-1,M-1\nP-1,M-3", day=DAY)
    snapshot = snapshot_of(book, overrides={"triggers": {"relieve_books": ["M-3"]}})
    assert dict(zip(snapshot.ams.ids, snapshot.unit_limits.tolist(), strict=True)) == {"M-2": 4000, "P-1": 1700}


def test_relieving_somebody_who_is_not_there_is_refused_with_the_nearest_id():
    with pytest.raises(rb.UsageError, match=r'no AM or pool "m-1" to relieve\. Did you mean "M-1"'):
        proposal_of(relieve=["m-1"])


def test_a_floor_above_the_relief_is_refused():
    with pytest.raises(rb.InvalidInput, match="AM M-1, column floor: the book must end at 18 units or more"):
        proposal_of(ams="am_id,name,capacity,floor\nM-1,Ann,20,0.9\nM-2,Ben,40,", relieve=["M-1"])


def test_what_is_relieved_makes_another_run():
    assert proposal_of().run_id != proposal_of(relieve=["M-1"]).run_id
    assert proposal_of(relieve=["M-1"]).run_id == proposal_of(relieve=["M-1", "M-1"]).run_id


@pytest.mark.parametrize(
    ("accounts", "told"),
    [
        (LOSING, "1 book is triggered by a low forecast of gross retention: M-1 (80.0 %)."),
        (SILENT, "1 book is triggered by silent accounts: M-1 (60 days)."),
    ],
)
def test_what_fires_beside_load_is_always_reported(accounts, told):
    for scope in ("full", "repair"):
        assert f"{told} It is not relieved (--relieve)." in proposal_of(accounts, scope=scope).warnings
    warnings = proposal_of(accounts, overrides=RELIEVE).warnings
    assert told in warnings
    assert "Relieved, to end at 85 % of capacity or below: M-1." in warnings


def test_a_book_without_load_has_nothing_to_give_and_that_is_said():
    proposal = proposal_of(LOSING.replace("A-3,N3,M-1", "A-3,N3,M-2"), relieve=["M-1"])
    assert proposal.status == "no_change"
    assert "Below that today, so that nothing has to leave: M-1." in proposal.warnings


# The independent check


def written(tmp_path, **options):
    folder = tmp_path / "run"
    proposal_of(**options).write(str(folder))
    return folder


def rewritten(folder, old, new):
    """The run with its model changed, and the hashes of manifest and proposal made to agree."""
    import hashlib

    file = folder / "inputs" / "model.toml"
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["inputs/model.toml"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize("options", [{"relieve": ["M-1"]}, {"overrides": RELIEVE}])
def test_the_check_confirms_a_plan_that_relieves(tmp_path, options):
    assert verify_run(written(tmp_path, **options)) == []


def test_the_check_catches_a_plan_that_leaves_a_named_book_above_its_relief(tmp_path):
    folder = written(tmp_path)
    rewritten(folder, "relieve_books = []", 'relieve_books = ["M-1"]')
    assert "(units_cap) book M-1 ends at 20.00 units, its limit is 17.00" in [
        str(found) for found in verify_run(folder)
    ]


@pytest.mark.parametrize("accounts", [LOSING, SILENT])
def test_the_check_finds_out_by_itself_which_books_fire(tmp_path, accounts):
    folder = written(tmp_path, accounts=accounts)
    rewritten(folder, "relieve = false", "relieve = true")
    assert "(units_cap) book M-1 ends at 20.00 units, its limit is 17.00" in [
        str(found) for found in verify_run(folder)
    ]


HARD = "account_id,name,owner,arr,tier,grr_forecast,last_touch,owner_since\n" + "\n".join(
    [
        "a,A,E-1,70000,enterprise,0.9,2026-01-31,",  # 59 days, and exactly 90 %
        "b,B,E-1,30001,enterprise,0.9,2026-04-05,2026-03-01",  # a touch to come, a new customer
        "c,C,E-2,10,smb,0.1,2020-01-01,",  # silent, of no tier that counts
        "d,D,E-2,1000,strategic,,,",  # no touch at all: since the records begin
        "e,E,E-3,5,enterprise,0.8999995,2026-03-31,",  # millionths, half up: 0.9
        "f,F,E-4,5,enterprise,0.8999994,2026-03-31,",
        "g,G,P-1,5,enterprise,,2026-01-01,",
        "h,H,E-6,5,enterprise,0.1,2026-01-01,",
    ]
)
HARD_AMS = "am_id,name,leaves_on\nE-1,A,\nE-2,B,\nE-3,C,\nE-4,D,\nE-5,E,\nE-6,F,2026-01-01"


@pytest.mark.parametrize("first", ["2026-01-30", "2026-01-31", ""])
@pytest.mark.parametrize("day", [DAY, "2026-04-01"])
def test_figures_and_check_agree_on_what_fires(first, day):
    """Two programs that share nothing: `metrics` on arrays, `verify` on text."""
    touches = f"account_id,date,kind\nh,{first},newsletter\nb,,call\n"
    book = book_of(HARD, HARD_AMS, pools="pool_id,am_id\nP-1,E-5", touches=touches, day=day)
    model = load_model("coverage_units", RELIEVE)
    fired = trigger_frame(snapshot_of(book, overrides=RELIEVE))
    ledger = Ledger.build(book.text_tables(), model, day, "repair")
    assert set(fired["am_id"]) == set(ledger.relieved) - {"E-6"}  # who has left fires nothing
    assert {"E-4", "P-1"} <= set(fired["am_id"])
    assert "E-3" not in set(fired["am_id"])


def test_the_command_relieves_and_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_book(tmp_path / "book", LOSING, AMS)
    with pytest.raises(SystemExit) as ended:
        main(["propose", "book", "--scope", "repair", "--relieve", "M-1", "--out", "run", "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["moves"]["accounts"] == 1
    assert 'relieve_books = ["M-1"]' in (tmp_path / "run" / "inputs" / "model.toml").read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["propose", "book", "--relieve", "M-9"])
    assert ended.value.code == 2

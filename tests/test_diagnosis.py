"""The diagnosis of a book: what its units, accounts, silence and forecast say, and what its ARR alone would miss."""

import json

import pytest
from helpers import book_of
from small_books import write_book

import rebalancer as rb
from rebalancer.cli import main
from rebalancer.insight.diagnosis import diagnose

DAY = "2026-03-31"
MODELS = ["coverage_units", "segmented"]
HEADER = "account_id,name,owner,arr,tier,grr_forecast,nrr_forecast,last_touch"


def a_book(count, arr, tier, grr="0.97", touched="2026-03-20"):
    """One AM with so many equal accounts."""
    return HEADER + "\n" + "\n".join(f"A-{n:03d},N{n},E-1,{arr},{tier},{grr},1.0,{touched}" for n in range(count))


def diagnosis_of(accounts, ams="am_id,name\nE-1,Eva\nE-2,Emil", am="E-1", model=None):
    return diagnose(book_of(accounts, ams, day=DAY), am, model)


def verdicts(found):
    return dict(zip(found.findings["topic"], found.findings["verdict"], strict=True))


def line(found, topic):
    return found.findings.set_index("topic").loc[topic, "text"]


EIGHTY = a_book(80, 130_000, "enterprise", grr="0.86")


@pytest.mark.parametrize(("model", "utilization"), [("coverage_units", 4.0), ("segmented", 2.136)])
def test_eighty_enterprise_accounts_of_130k_are_too_much_by_accounts_and_units_though_arr_looks_fine(
    model, utilization
):
    """[KM]'s case: $10.4M in the hands of one enterprise AM whose forecasts went bad."""
    found = diagnosis_of(EIGHTY, model=model)
    assert found.book["arr"] == 10_400_000
    assert found.verdict == "overloaded"
    assert found.book["utilization"] == utilization
    assert (found.book["benchmark"], found.book["benchmark_least"], found.book["benchmark_most"]) == ("above", 1.6, 3.2)
    assert any("80 accounts, above the benchmark" in cause for cause in found.causes)
    assert any(cause.endswith("(110 % of its capacity)") for cause in found.causes)
    assert verdicts(found) | {"units": "bad", "accounts": "bad", "retention": "bad"} == verdicts(found)
    assert line(found, "retention").startswith("gross 86.0 % forecast, net 100.0 %; the trigger is below 90 %")


@pytest.mark.parametrize("model", MODELS)
def test_sizing_by_arr_alone_misses_it(model):
    found = diagnosis_of(EIGHTY, model=model)
    assert (found.by_arr, found.missed_by_arr) == ("full", True)
    assert found.headline().endswith("Sizing by ARR alone would miss it.")
    text = line(found, "ARR")
    assert text.startswith(
        "$10,400,000, $130,000 an account: 104 % of the most that sizing by ARR gives an AM ($5-10M)"
    )
    assert text.endswith("It misses the overload.")


@pytest.mark.parametrize("model", MODELS)
def test_thirty_accounts_of_250k_and_two_hundred_of_40k_are_about_8m_and_different_jobs(model):
    few = diagnosis_of(a_book(30, 250_000, "enterprise"), model=model)
    many = diagnosis_of(a_book(200, 40_000, "mid_market"), model=model)
    assert (few.book["arr"], many.book["arr"]) == (7_500_000, 8_000_000)
    assert (few.by_arr, many.by_arr) == ("full", "full")
    assert (few.book["benchmark"], many.book["benchmark"]) == ("within", "above")
    assert many.book["utilization"] > 2 * few.book["utilization"]
    assert many.verdict == "overloaded"
    assert many.missed_by_arr


def test_by_units_calibrated_to_the_benchmark_the_thirty_are_a_whole_job_and_no_more():
    found = diagnosis_of(a_book(30, 250_000, "enterprise"), model="segmented")
    assert (found.book["utilization"], found.verdict, found.causes) == (0.801, "fine", ())


def test_more_arr_than_the_band_is_too_much_by_arr_as_well():
    found = diagnosis_of(a_book(80, 140_000, "enterprise"))
    assert (found.by_arr, found.verdict, found.missed_by_arr) == ("overloaded", "overloaded", False)
    assert "more than 110 % of the $5-10M" in line(found, "ARR")
    assert diagnosis_of(a_book(110, 100_000, "smb")).by_arr == "full"  # exactly 110 %


def test_much_arr_in_few_hands_is_no_overload():
    found = diagnosis_of(a_book(5, 3_000_000, "strategic"))
    assert (found.by_arr, found.verdict, found.missed_by_arr) == ("overloaded", "fine", False)


def test_one_silent_enterprise_account_overloads_a_book_whatever_its_ratio():
    accounts = a_book(3, 130_000, "enterprise") + "\nA-900,Quiet,E-1,1,enterprise,1,1,2026-01-30"
    found = diagnosis_of(accounts)
    assert (found.book["utilization"], found.book["benchmark"]) == (0.2, "below")
    assert (found.verdict, found.causes) == ("overloaded", ("1 key account silent: A-900 for 60 days",))
    assert found.silent[["account_id", "name", "silent_days"]].to_numpy().tolist() == [["A-900", "Quiet", 60]]
    assert line(found, "silence").startswith(
        "1 of 4 accounts silent for 60 days or more, 1 of them strategic or enterprise"
    )


def test_a_bad_forecast_alone_is_no_overload_but_has_to_be_dealt_with():
    found = diagnosis_of(a_book(3, 130_000, "enterprise", grr="0.899"))
    assert (found.verdict, found.causes) == ("losing", ())
    assert "has to be rebalanced" in found.headline()


def test_a_count_over_its_limit_is_named():
    found = diagnosis_of(a_book(3, 10, "smb"), "am_id,name,max_accounts\nE-1,Eva,2")
    assert (found.verdict, found.causes) == ("overloaded", ("3 accounts, limit 2",))
    assert line(found, "limit") == "3 accounts, limit 2."


def test_a_book_between_green_and_the_trigger_is_stretched():
    assert diagnosis_of(a_book(20, 130_000, "enterprise")).verdict == "stretched"


def test_what_is_not_known_is_said_and_not_judged():
    found = diagnosis_of("account_id,name,owner,arr,tier\na,A,E-1,1,smb")
    assert verdicts(found) | {"silence": "unknown", "retention": "unknown"} == verdicts(found)
    assert found.verdict == "fine"
    assert found.missing == ("accounts.grr_forecast", "accounts.nrr_forecast", "accounts.last_touch", "touches")


def test_a_forecast_of_a_part_of_the_book_says_of_which_part():
    accounts = f"{HEADER}\na,A,E-1,75,smb,0.8,,\nb,B,E-1,25,smb,,,"
    assert line(diagnosis_of(accounts), "retention").startswith("gross 80.0 % forecast (known of 75 % of its ARR); ")


def test_an_empty_book_is_empty():
    found = diagnosis_of(EIGHTY, am="E-2")
    assert (found.verdict, found.headline()) == ("empty", "E-2 (Emil) holds no accounts.")


def test_a_member_stands_for_its_pool():
    book = book_of(
        a_book(1, 1, "smb"), "am_id,name\nE-1,Eva\nE-2,Emil", pools="pool_id,am_id\nP-1,E-1\nP-1,E-2", day=DAY
    )
    assert diagnose(book, "E-2").am_id == "P-1"


def test_somebody_who_is_not_there_is_refused_with_the_nearest_id():
    with pytest.raises(rb.UsageError, match=r'no AM or pool "e-1"\. Did you mean "E-1"'):
        diagnosis_of(EIGHTY, am="e-1")


def test_the_largest_accounts_are_named_with_their_last_touch():
    accounts = f"{HEADER}\na,Acme,E-1,75,smb,1,1,2026-03-30\nb,Bolt,E-1,25,smb,1,1,"
    found = diagnosis_of(accounts)
    assert line(found, "largest") == "Acme, Bolt, 100 % of its ARR. An AM who can't name them is overloaded."
    assert found.top["silent_days"].tolist()[0] == 1


def test_the_command_explains_a_book(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_book(tmp_path / "book", EIGHTY, "am_id,name\nE-1,Eva")
    shown = []
    for extra in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            main(["heatmap", "book", "--effective-date", DAY, "--explain", "E-1", *extra])
        assert ended.value.code == 0
        shown.append(capsys.readouterr().out)
    assert shown[0].startswith("E-1 (Eva) is overloaded: 400.0 units, above 110.0 (110 % of its capacity); 80 accounts")
    assert "A-000" in shown[0]
    found = json.loads(shown[1])
    assert (found["verdict"], found["by_arr"], found["missed_by_arr"]) == ("overloaded", "full", True)
    assert found["book"]["benchmark"] == "above"
    assert {"findings", "top", "silent", "causes", "missing", "effective_date", "model"} <= set(found)

"""What a move costs: dollars derived by hand, and the two other measures."""

import pytest
from helpers import TWO_PODS, book_of, cost, problem_of, snapshot_of

COLUMNS = "account_id,owner,csm,arr,tier,renewal_date,health,owner_since"


def costs_of(row, *, day="2026-01-01", measure="revenue_at_risk", **overrides):
    """What changing the AM, the CSM or both costs, for one account `arr,tier,renewal_date,health,owner_since`."""
    book = book_of(f"{COLUMNS}\na,E-1,C-1,{row}", **TWO_PODS, day=day)
    costs = snapshot_of(book, measure=measure, overrides={"disruption": overrides}).costs
    return [int(part[0]) for part in (costs.am, costs.csm, costs.both)]


def am_cost(row, **options):
    return costs_of(row, **options)[0]


@pytest.mark.parametrize(
    ("tier", "dollars"),
    # handover + 0.154 * 100000 = 15400
    [("strategic", 19_400), ("enterprise", 17_400), ("mid_market", 15_900), ("smb", 15_450)],
)
def test_an_am_change_costs_the_handover_and_the_expected_loss(tier, dollars):
    assert am_cost(f"100000,{tier},,,") == dollars


def test_a_csm_change_costs_half_and_a_pod_break_two_and_a_half_times():
    assert costs_of("100000,enterprise,,,") == [17_400, 8_700, 43_500]  # 1, 0.5, 1 + 0.5 + 1


def test_the_shares_are_the_models():
    assert costs_of("100000,enterprise,,,", csm_share=0, pod_break=0) == [17_400, 1, 17_400]
    assert costs_of("100000,enterprise,,,", csm_share=1, pod_break=0.25) == [17_400, 17_400, 39_150]  # 2.25


@pytest.mark.parametrize(
    ("renewal", "dollars"),
    [
        ("2025-12-31", 17_400),  # past: no longer ahead
        ("2026-01-01", 25_100),  # day 0: 0.154 * 1.5 = 0.231
        ("2026-04-01", 25_100),  # day 90
        ("2026-04-02", 20_480),  # day 91: 0.154 * 1.2 = 0.1848
        ("2026-06-30", 20_480),  # day 180
        ("2026-07-01", 17_400),  # day 181
        ("9999-12-31", 17_400),
        ("", 17_400),
    ],
)
def test_a_renewal_near_raises_the_risk(renewal, dollars):
    assert am_cost(f"100000,enterprise,{renewal},,") == dollars


@pytest.mark.parametrize(
    ("health", "dollars"),
    [("0", 25_100), ("49.9", 25_100), ("50", 20_480), ("69.9", 20_480), ("70", 17_400), ("100", 17_400), ("", 17_400)],
)
def test_poor_health_raises_the_risk(health, dollars):
    assert am_cost(f"100000,enterprise,,{health},") == dollars


@pytest.mark.parametrize(
    ("day", "since", "dollars"),
    [
        ("2026-01-01", "2025-01-02", 17_400),  # a day short of a year
        ("2026-01-01", "2025-01-01", 18_940),  # one year: 0.154 * 1.1 = 0.1694
        ("2026-01-01", "2023-01-02", 18_940),
        ("2026-01-01", "2023-01-01", 20_480),  # three years: 0.1848
        ("2026-01-01", "2026-01-02", 17_400),  # in the future
        ("2025-02-28", "2024-02-29", 17_400),  # the year since 29 February is full on 1 March
        ("2025-03-01", "2024-02-29", 18_940),
        ("2028-02-29", "2025-02-28", 20_480),
        ("2028-02-29", "2025-03-01", 18_940),
    ],
)
def test_tenure_counts_full_years_of_the_calendar(day, since, dollars):
    assert am_cost(f"100000,enterprise,,,{since}", day=day) == dollars


def test_the_risks_multiply():
    # 0.154 * 1.5 * 1.5 * 1.2 = 0.4158
    assert am_cost("100000,enterprise,2026-01-02,10,2020-01-01") == 43_580


def test_no_more_than_all_of_the_revenue_is_at_risk():
    assert am_cost("100000,enterprise,2026-01-02,10,2020-01-01", loss_rate=0.5) == 102_000  # 1.35 counts as 1
    assert am_cost("100000,enterprise,,,", loss_rate=1) == 102_000


def test_a_credit_has_no_revenue_at_risk():
    assert am_cost("-100000,enterprise,,,") == 2_000


def test_half_a_dollar_is_rounded_up():
    # smb: 50 + 0.154 * 250 = 88.5; half of it 44.25; two and a half times 221.25
    assert costs_of("250,smb,,,") == [89, 44, 221]
    assert costs_of("0,smb,,,", handover={"smb": 51}) == [51, 26, 128]  # 25.5 and 127.5


def test_a_large_account_is_priced_to_the_dollar():
    # 50 + 0.154 * 999999999999 = 153999999999.846 + 50
    assert am_cost("999999999999,smb,,,") == 154_000_000_050


def test_a_change_costs_at_least_a_dollar():
    nothing = dict.fromkeys(("strategic", "enterprise", "mid_market", "smb"), 0)
    assert costs_of("100000,enterprise,,,", handover=nothing, loss_rate=0) == [1, 1, 1]


def test_the_measure_accounts_counts_am_changes():
    assert costs_of("100000,enterprise,,,", measure="accounts") == [1, 0, 1]


def test_the_measure_units_counts_hundredths_and_at_least_one():
    assert costs_of("100000,enterprise,,,", measure="units") == [500, 0, 500]
    book = book_of("account_id,owner,tier\na,E-1,smb")
    weightless = {"units": {"tier": {"smb": 0}}}
    assert snapshot_of(book, measure="units", overrides=weightless).costs.am.tolist() == [1]


def test_the_first_am_and_the_first_csm_cost_nothing():
    unowned = problem_of(book_of("account_id,arr\na,100000"))
    assert cost(unowned, "a", "E-1") == cost(unowned, "a", "E-2") == 0
    first_csm = problem_of(book_of("account_id,owner,arr,assign_csm\na,E-2,100000,C-2", **TWO_PODS))
    assert cost(first_csm, "a", "E-2 + C-2") == 0


def test_staying_costs_nothing_and_every_change_its_price():
    problem = problem_of(book_of("account_id,owner,csm,arr,tier\na,E-1,C-1,100000,enterprise", **TWO_PODS))
    assert cost(problem, "a", "E-1 + C-1") == 0
    assert cost(problem, "a", "E-2 + C-2") == 43_500

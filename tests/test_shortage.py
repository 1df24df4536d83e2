"""Shortage: the sentences that say why no plan keeps every limit."""

from helpers import TWO_PODS, book_of, chosen, formulation_of

from rebalancer.shortage import shortages


def sentences(book, plan=None, **options):
    """The sentences about a plan, today's unless one is given."""
    formulation = formulation_of(book, **options)
    problem = formulation.problem
    return shortages(formulation, problem.today if plan is None else chosen(problem, plan))


def emea():
    """103 enterprise accounts of 4 units in EMEA and four AMs of 95 there; in AMER there is room."""
    rows = [f"x{n:03},E-{n % 4 + 1},EMEA,enterprise" for n in range(103)]
    accounts = "\n".join(["account_id,owner,region,tier", *rows, "u1,U-1,AMER,enterprise", "u2,U-1,AMER,smb"])
    ams = "am_id,region,capacity\n" + "".join(f"E-{n},EMEA,95\n" for n in range(1, 5)) + "U-1,AMER,100\n"
    return book_of(accounts, ams)


FOUR_UNITS = {"units": {"tier": {"enterprise": 4}}}


def test_the_shortage_names_tier_region_need_people_and_what_they_have():
    found = sentences(emea(), overrides=FOUR_UNITS)
    assert found[0] == (
        "enterprise in EMEA needs 412 units, its 4 AMs (E-1, E-2, E-3, E-4) have 380: "
        "32 short (units cap, 103 accounts)."
    )
    # 26 accounts, 26, 26 and 25: 104, 104, 104 and 100 units
    assert found[1:] == [
        "E-1 ends with 104 units, at most 95 allowed (units cap).",
        "E-2 ends with 104 units, at most 95 allowed (units cap).",
        "E-3 ends with 104 units, at most 95 allowed (units cap).",
        "E-4 ends with 100 units, at most 95 allowed (units cap).",
    ]


def test_one_am_is_spoken_of_as_one():
    book = book_of("account_id,owner,tier\na,E-1,enterprise\nb,E-1,enterprise", "am_id,capacity\nE-1,7.5")
    assert sentences(book) == [
        "enterprise needs 10 units, its only AM (E-1) has 7.5: 2.5 short (units cap, 2 accounts).",
        "E-1 ends with 10 units, at most 7.5 allowed (units cap).",
    ]


def test_where_everything_fits_only_the_broken_limits_of_the_plan_are_named():
    book = book_of("account_id,owner,tier\na,E-1,enterprise\nb,E-1,enterprise", "am_id,capacity\nE-1,7\nE-2,7")
    assert sentences(book) == ["E-1 ends with 10 units, at most 7 allowed (units cap)."]
    assert sentences(book, "a E-1, b E-2") == []


def test_regions_that_are_short_apart_are_named_apart():
    accounts = "account_id,owner,region,tier\na,E-1,EMEA,enterprise\nb,E-2,APAC,strategic"
    found = sentences(book_of(accounts, "am_id,region,capacity\nE-1,EMEA,4\nE-2,APAC,4"))
    assert found[:2] == [
        "enterprise in EMEA needs 5 units, its only AM (E-1) has 4: 1 short (units cap, 1 account).",
        "strategic in APAC needs 8 units, its only AM (E-2) has 4: 4 short (units cap, 1 account).",
    ]


def test_an_account_that_an_unlimited_am_may_take_is_no_shortage_of_places():
    book = book_of("account_id,owner\na,E-1\nb,E-1", "am_id,max_accounts\nE-1,1\nE-2,")
    assert sentences(book) == ["E-1 ends with 2 accounts, at most 1 allowed (accounts limit)."]


def test_places_are_counted_by_tier_where_the_tier_is_limited():
    accounts = "account_id,owner,tier\n" + "\n".join(f"x{n},E-1,strategic" for n in range(3))
    model = {"books": {"blended": {"max_strategic": 2}}}
    assert sentences(book_of(accounts, "am_id,book\nE-1,blended"), overrides=model) == [
        "strategic needs 3 strategic places, its only AM (E-1) has 2: 1 short (blended limit, 3 accounts).",
        "E-1 ends with 3 strategic accounts, at most 2 allowed (blended limit).",
    ]


def test_a_colon_in_an_id_is_part_of_the_id():
    accounts = "account_id,owner\na,AMER:E1\nb,AMER:E1"
    assert sentences(book_of(accounts, "am_id,max_accounts\nAMER:E1,1\nAMER:E2,1")) == [
        "AMER:E1 ends with 2 accounts, at most 1 allowed (accounts limit)."
    ]


def test_a_tier_is_told_from_an_id_with_a_colon():
    accounts = "account_id,owner,tier\na,AMER:E1,strategic\nb,AMER:E1,strategic"
    model = {"books": {"blended": {"max_strategic": 1}}}
    book = book_of(accounts, "am_id,book\nAMER:E1,blended\nAMER:E2,blended")
    assert sentences(book, overrides=model) == [
        "AMER:E1 ends with 2 strategic accounts, at most 1 allowed (blended limit)."
    ]


def test_a_full_csm_is_named_with_its_load():
    rows = "\n".join(f"x{n},E-1,C-1,500000" for n in range(3))
    tables = {**TWO_PODS, "csms": "csm_id,capacity\nC-1,0.05\nC-2,0.01"}
    found = sentences(book_of(f"account_id,owner,csm,arr\n{rows}", **tables))
    assert found == [
        "strategic needs 0.09 full CSM loads, its 2 CSMs (C-1, C-2) have 0.06: 0.03 short (csm load, 3 accounts).",
        "C-1 ends with 0.086 full CSM loads, at most 0.05 allowed (csm load).",
    ]


def test_a_book_below_its_floor_is_named():
    book = book_of("account_id,owner,tier\na,E-1,enterprise", "am_id,floor\nE-1,\nE-2,0.5")
    assert sentences(book) == ["E-2 ends with 0 units, at least 50 allowed (floor)."]


def test_many_people_and_every_tier_are_shortened():
    accounts = "account_id,owner,tier,complexity\na,E-1,strategic,9\nb,E-1,enterprise,\nc,E-1,mid_market,\nd,E-1,smb,"
    ams = "am_id,capacity\n" + "".join(f"E-{n},1\n" for n in range(1, 9))
    assert sentences(book_of(accounts, ams))[0] == (
        "every tier needs 79.2 units, its 8 AMs (E-1, E-2, E-3, E-4, E-5, E-6 and 2 more) have 8: "
        "71.2 short (units cap, 4 accounts)."
    )

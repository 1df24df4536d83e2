"""Coverage models: what ships, how one builds on another, and what a wrong one is told."""

from decimal import Decimal

import pytest
from helpers import messages

from rebalancer.coverage import load_model, model_names
from rebalancer.errors import UsageError

SHIPPED = ["blended", "coverage_units", "pods", "segmented", "smb_pool", "tiered_roles"]
EXTENDS = 'extends = "coverage_units"\n'
PRODUCTS = [(0, "0.6"), (2, "0.8"), (3, "1"), (5, "1.5"), (8, "2.5")]
STAKEHOLDERS = [(0, "0.6"), (3, "1"), (6, "1.5"), (10, "2")]


def model_of(tmp_path, text, overrides=None, name="mine"):
    file = tmp_path / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return load_model(file, overrides)


def steps(pairs):
    return tuple((Decimal(start), Decimal(value)) for start, value in pairs)


def test_every_model_of_the_library_is_known_by_name():
    assert model_names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_equals_what_it_writes(tmp_path, name):
    model = load_model(name)
    assert model_of(tmp_path, model.to_toml(), name=name) == model
    assert model.name == name
    assert model.title
    assert model.about


@pytest.mark.parametrize(
    ("name", "tier_units", "factors", "kind"),
    [
        ("coverage_units", "8 5 2 0.2", False, "open"),
        ("segmented", "5.7 2.67 0.87 0.33", True, "segmented"),
        ("blended", "5 4 2 0.5", False, "blended"),
        ("tiered_roles", "14.28 5 5 2.5", False, "segmented"),
        ("pods", "5.7 2.67 0.87 0.33", True, "open"),
    ],
)
def test_the_numbers_of_the_design(name, tier_units, factors, kind):
    model = load_model(name)
    tiers = ("strategic", "enterprise", "mid_market", "smb")
    assert [model.units.tier[tier] for tier in tiers] == [Decimal(text) for text in tier_units.split()]
    assert model.units.factors.products == (steps(PRODUCTS) if factors else ())
    assert model.units.factors.stakeholders == (steps(STAKEHOLDERS) if factors else ())
    assert (model.units.cap, model.books.default) == (100, kind)
    # what every model carries
    assert model.tiers == {"strategic": 500_000, "enterprise": 100_000, "mid_market": 25_000}
    assert (model.books.blended.max_accounts, model.books.blended.max_strategic) == (20, 20)
    assert model.books.segmented.max_per_tier == {"strategic": 25, "enterprise": 50, "mid_market": 150, "smb": None}
    assert model.benchmarks == {
        "strategic": (10, 25),
        "enterprise": (25, 50),
        "mid_market": (80, 150),
        "smb": (300, None),
    }
    assert (model.limits.target, model.limits.trigger, model.limits.floor) == (1, Decimal("1.1"), 0)
    assert (model.limits.cure_legacy, model.limits.when_over_capacity) == (False, "plan")
    assert model.limits.overload_tolerance == Decimal("0.1")
    assert (model.bands.green_below, model.bands.red_above) == (Decimal("0.85"), Decimal("1.1"))
    assert {role for role, policy in model.roles.items() if not policy.receives} == {"manager", "gam", "ae"}
    assert {"strategic", "regular", "junior"} <= set(model.roles)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_price_of_a_move_is_that_of_the_design_in_every_model(name):
    terms, csm = load_model(name).disruption, load_model(name).csm
    assert terms.handover == {"strategic": 4000, "enterprise": 2000, "mid_market": 500, "smb": 50}
    assert (terms.measure, terms.loss_rate) == ("revenue_at_risk", Decimal("0.154"))
    assert (terms.csm_share, terms.pod_break) == (Decimal("0.5"), 1)
    assert terms.risk.renewal_days == steps([(0, "1.5"), (91, "1.2"), (181, "1")])
    assert terms.risk.health == steps([(0, "1.5"), (50, "1.2"), (70, "1")])
    assert terms.risk.tenure_years == steps([(1, "1.1"), (3, "1.2")])
    assert csm.ratios == steps([(0, 200), (25_000, 125), (100_000, 75), (500_000, 35)])


def test_the_tiered_roles_hold_seven_twenty_and_forty_accounts():
    roles = load_model("tiered_roles").roles
    assert {name: roles[name].max_accounts for name in ("strategic", "regular", "junior")} == {
        "strategic": 7, "regular": 20, "junior": 40,
    }  # fmt: skip
    assert roles["strategic"].tiers == ("strategic",)
    assert roles["regular"].tiers == ("enterprise", "mid_market", "smb")
    assert roles["junior"].tiers == ("mid_market", "smb")


def test_pods_are_of_25_to_50_accounts_and_on():
    assert (load_model("pods").pods.size, load_model("pods").pods.mode) == ((25, 50), "on")


# extends, overrides, "none"


def test_a_model_takes_over_what_it_does_not_set(tmp_path):
    model = model_of(tmp_path, 'extends = "segmented"\n[units.tier]\nsmb = 0.5\n[units.factors]\nproducts = [[4, 2]]\n')
    assert model.units.tier["smb"] == Decimal("0.5")
    assert model.units.tier["enterprise"] == Decimal("2.67")
    assert model.units.factors.products == steps([(4, 2)])  # a list is replaced whole
    assert model.units.factors.stakeholders == steps(STAKEHOLDERS)
    assert model.name == "mine"


def test_a_model_may_extend_a_file_beside_it(tmp_path):
    (tmp_path / "base.toml").write_text(EXTENDS + "[units]\ncap = 70\n")
    assert model_of(tmp_path, 'extends = "base"\n').units.cap == 70


def test_a_file_of_a_shipped_name_may_extend_the_shipped_one(tmp_path):
    assert model_of(tmp_path, 'extends = "pods"\n[units]\ncap = 70\n', name="pods").title == "Pods"


def test_models_that_extend_each_other_are_refused_with_the_circle(tmp_path):
    (tmp_path / "other.toml").write_text('extends = "mine"\n')
    assert messages(lambda: model_of(tmp_path, 'extends = "other"\n')) == [
        "mine.toml: the models extend each other: mine.toml -> other.toml -> mine.toml. Break the circle."
    ]


def test_none_lifts_a_limit(tmp_path):
    books = model_of(tmp_path, EXTENDS + '[books.blended]\nmax_accounts = "none"\n').books
    assert (books.blended.max_accounts, books.blended.max_strategic) == (None, 20)


def test_overrides_are_laid_over_the_model_and_leave_it_as_it_was():
    changed = load_model("pods", {"limits": {"target": 0.9}, "books": {"blended": {"max_strategic": "none"}}})
    assert (changed.limits.target, changed.limits.trigger) == (Decimal("0.9"), Decimal("1.1"))
    assert changed.books.blended.max_strategic is None
    assert load_model("pods").limits.target == 1


def test_a_number_is_read_exactly(tmp_path):
    assert model_of(tmp_path, EXTENDS + "[disruption]\nloss_rate = 0.1540000000000000001\n").disruption.loss_rate == (
        Decimal("0.1540000000000000001")
    )
    assert load_model("pods", {"disruption": {"loss_rate": 0.1}}).disruption.loss_rate == Decimal("0.1")


@pytest.mark.parametrize("cap", ["0.01", "99.5", "1e2", "1_000"])
def test_what_a_changed_model_writes_is_read_back_equal(tmp_path, cap):
    model = model_of(
        tmp_path,
        f'{EXTENDS}title = "a \\"quoted\\" title"\n[units]\ncap = {cap}\n[books.blended]\nmax_accounts = "none"\n',
    )
    assert model_of(tmp_path, model.to_toml()) == model


# What a wrong model is told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit = 3", 'key limit: unknown key. Did you mean "limits"?'),
        ("zodiac = 3", "key zodiac: unknown key. Remove it."),
        ("[limits]\ntriger = 1.2", 'key limits.triger: unknown key. Did you mean "trigger"?'),
        ("[roles.junior]\nrecieves = true", 'key roles.junior.recieves: unknown key. Did you mean "receives"?'),
        ("[units.factors]\nproduct = [[0, 1]]", 'key units.factors.product: unknown key. Did you mean "products"?'),
        ("[units.tier]\nsmbs = 1", 'key units.tier.smbs: unknown key. Did you mean "smb"?'),
        (
            "[disruption.handover]\nhuge = 1",
            "key disruption.handover.huge: unknown key. Known keys: strategic, enterprise, mid_market, smb.",
        ),
        (
            '[disruption]\nmeasure = "acounts"',
            "key disruption.measure, value \"acounts\": input should be 'revenue_at_risk', 'accounts' or 'units'. "
            'Did you mean "accounts"?',
        ),
        ("[units]\ncap = -1", 'key units.cap, value "-1": input should be greater than or equal to 0. Correct it.'),
        ('[units]\ncap = "many"', 'key units.cap, value "many": input should be a valid decimal. Correct it.'),
        ("[units]\ncap = inf", 'key units.cap, value "Infinity": input should be a finite number. Correct it.'),
        (
            "[books.blended]\nmax_accounts = 2.5",
            'key books.blended.max_accounts, value "2.5": input should be a valid integer, got a number with a '
            "fractional part. Correct it.",
        ),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_cure(tmp_path, text, message):
    assert messages(lambda: model_of(tmp_path, EXTENDS + text)) == [f"mine.toml, {message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[limits]\ntrigger = 0.9",
            ", key limits: trigger 0.9 is below target 1.00; a cured book would fire again. Correct it.",
        ),
        (
            "[limits]\ntarget = 0.5\nfloor = 0.6",
            ", key limits: floor 0.6 is above target 0.5; no book could satisfy both. Correct it.",
        ),
        (
            "[bands]\ngreen_below = 1.2",
            ", key bands: red_above 1.10 is below green_below 1.2; no book is yellow. Correct it.",
        ),
        (
            "[pods]\nsize = [50, 25]",
            ", key pods: size must give the least and the most accounts of a pod, rising. Correct it.",
        ),
        ("[csm]\nratios = [[5, 200]]", ", key csm: the first row of ratios must start at 0. Correct it."),
        (
            "[csm]\nratios = [[0, 1.5]]",
            ", key csm: a CSM serves a whole number of accounts of every band, at least 1. Correct it.",
        ),
        (
            "[tiers]\nenterprise = 600000",
            ": tiers must give the lower ARR edges of strategic, enterprise and mid_market, falling. Correct it.",
        ),
        (
            "[units.factors]\nproducts = [[3, 1], [2, 2]]",
            ": the rows of units.factors.products must rise from one to the next. Correct it.",
        ),
        (
            "[disruption.risk]\nhealth = [[3, 1], [3, 2]]",
            ": the rows of disruption.risk.health must rise from one to the next. Correct it.",
        ),
        (
            "[units.factors]\nstakeholders = [[3, 0]]",
            ": every value of units.factors.stakeholders must be above 0. Correct it.",
        ),
        (
            "[units.factors]\nproducts = [[3, 1001]]",
            ": no value of units.factors.products may be above 1,000. Correct it.",
        ),
    ],
)
def test_numbers_that_cannot_be_meant_together_are_refused(tmp_path, text, message):
    assert messages(lambda: model_of(tmp_path, EXTENDS + text)) == [f"mine.toml{message}"]


def test_a_model_that_extends_nothing_must_weigh_every_tier(tmp_path):
    text = (
        "[tiers]\nstrategic = 3\nenterprise = 2\nmid_market = 1\n"
        "[units.tier]\nsmb = 1\nmid_market = 1\nenterprise = 1\n"
        "[disruption]\nloss_rate = 0.1\nhandover = {smb = 1, mid_market = 1, enterprise = 1, strategic = 1}\n"
        "[csm]\nratios = [[0, 1]]\n"
    )
    assert messages(lambda: model_of(tmp_path, text)) == ["mine.toml: units.tier lacks strategic. Correct it."]
    assert model_of(tmp_path, text.replace("smb = 1\nmid", "strategic = 9\nsmb = 1\nmid")).units.tier["strategic"] == 9


def test_every_missing_key_is_named_at_once(tmp_path):
    cure = 'the key is missing. Set it, or start with extends = "coverage_units".'
    assert messages(lambda: model_of(tmp_path, 'title = "empty"\n')) == [
        f"mine.toml, key {key}: {cure}" for key in ("tiers", "units", "disruption", "csm")
    ]


def test_every_fault_of_the_overrides_is_named_at_once():
    where = "pods.toml with the overrides of book.toml"
    overrides = {"limits": {"targett": 0.5}, "units": {"cap": "y"}, "extends": "blended"}
    assert sorted(messages(lambda: load_model("pods", overrides))) == [
        f"{where}, key extends: unknown key. Remove it.",
        f'{where}, key limits.targett: unknown key. Did you mean "target"?',
        f'{where}, key units.cap, value "y": input should be a valid decimal. Correct it.',
    ]


def test_a_file_that_is_not_toml_names_the_line(tmp_path):
    (message,) = messages(lambda: model_of(tmp_path, "[limits]\ntarget = 1\ntarget = 2\n"))
    assert message.startswith("mine.toml: not readable as TOML: ")
    assert message.endswith("(at line 3, column 11). Correct that line.")


def test_an_unknown_model_is_told_the_near_one_and_all():
    known = "Models: blended, coverage_units, pods, segmented, smb_pool, tiered_roles."
    with pytest.raises(UsageError) as near:
        load_model("blendd")
    assert str(near.value) == f'there is no coverage model "blendd". Did you mean "blended"? {known}'
    with pytest.raises(UsageError) as far:
        load_model("zodiac")
    assert str(far.value) == f'there is no coverage model "zodiac". {known}'
    with pytest.raises(UsageError, match=r'^there is no coverage model file "nowhere\.toml"\.$'):
        load_model("nowhere.toml")

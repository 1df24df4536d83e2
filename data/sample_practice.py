"""The tables of the sample book that the practice of coverage needs, beside accounts and team.

Touches, opportunities, quotas, splits and metrics, and the columns of `accounts` and `ams` that go with them. Every
table has its own seeded draws, so that one can change without the others; no draw of `generate_sample` is used up.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from random import Random

Account = dict[str, str]
Rows = list[tuple[object, ...]]

EFFECTIVE = date(2026, 10, 1)
FIRST_DAY = date(2025, 7, 1)
"""Touches and closed opportunities since then: five quarters."""

QUARTERS = {
    "2025-Q3": (date(2025, 7, 1), date(2025, 9, 30)),
    "2025-Q4": (date(2025, 10, 1), date(2025, 12, 31)),
    "2026-Q1": (date(2026, 1, 1), date(2026, 3, 31)),
    "2026-Q2": (date(2026, 4, 1), date(2026, 6, 30)),
    "2026-Q3": (date(2026, 7, 1), date(2026, 9, 30)),
}
LAST = "2026-Q3"
THIS_QUARTER = (EFFECTIVE, date(2026, 12, 31))

ACCOUNT_COLUMNS = (
    *("opportunity", "grr_forecast", "nrr_forecast", "is_global", "gam", "sponsor"),
    *("expansion_arr_12m", "contracts", "coterminous", "wallet_share"),
)
COST = {"strategic": 210_000, "regular": 165_000, "junior": 105_000, "manager": 230_000}

RED = ("AM-03", "AM-09", "AM-16")
BECAME_RED = date(2026, 3, 1)
"""Since then the red books are touched less."""

WORRIED = "AM-13"
"""Her book is green by units, and its retention is forecast below 90 %."""

OPTIMIST, OPTIMISM = "AM-10", 2.4
"""What he forecast for the last quarter was that much above what came."""

SCOUT = "AM-20"
"""He finds most of his upsells himself."""

LEAVER, LEFT = "AM-04", date(2026, 9, 18)

GLOBAL = {
    # where it is: owner, tier, rank by ARR from the largest, or the name; its global account manager, its sponsor
    "Vantera Data": ("AM-01", "Ingrid Falkenrath, CFO"),
    "Vantera Robotics": ("AM-01", "Ingrid Falkenrath, CFO"),
    "Vantera Analytics": ("AM-01", "Ingrid Falkenrath, CFO"),
    "AM-08 strategic 2": ("AM-08", ""),  # nobody sponsors it
    "AM-16 strategic 1": ("AM-15", "Marguerite Osei, COO"),
    "AM-21 strategic 1": ("AM-21", "Tobias Renn, CEO"),
}
REVIEWED = {
    # a global customer's own revenue in dollars a year, and when the programme last looked at it
    "Vantera Data": (2_400_000_000, date(2026, 3, 12)),
    "AM-08 strategic 2": (1_300_000_000, date(2026, 2, 19)),
    "AM-16 strategic 1": (640_000_000, date(2025, 6, 30)),  # below a billion, and not reviewed for a year
    "AM-21 strategic 1": (3_100_000_000, date(2026, 5, 7)),
}
REFEREE = "Sales operations"
SPLITS = (
    # customer, credited AM, role, share of the account's credit, decided by
    ("Vantera Data", "AM-01", "gam", 1, REFEREE),
    ("Vantera Robotics", "AM-01", "gam", 1, REFEREE),
    ("Vantera Robotics", "AM-21", "ram", 1, REFEREE),
    ("Vantera Analytics", "AM-01", "gam", 0.85, REFEREE),
    ("Vantera Analytics", "AM-22", "ram", 0.15, REFEREE),  # below the floor of 25 %
    ("AM-08 strategic 2", "AM-08", "gam", 1, REFEREE),
    ("AM-16 strategic 1", "AM-15", "gam", 0.6, "AM-15"),  # the GAM decided it
    ("AM-16 strategic 1", "AM-16", "ram", 0.4, "AM-15"),
    ("AM-21 strategic 1", "AM-21", "gam", 1, REFEREE),
)

SPONSORS = (
    *("Helene Brandvold, CEO", "Arturo Quispe, CIO", "Fumiko Hayase, COO", "Desmond Achebe, CFO"),
    *("Liesl Vorwerk, CTO", "Rahul Deshpande, CDO", "Colette Marchand, CPO", "Samuel Trentham, CEO"),
)

GAP = {"strategic": 17, "enterprise": 27, "mid_market": 50, "smb": 105}
"""Mean days between two touches of an account."""

LONGEST_GAP = {"strategic": 45, "enterprise": 55, "mid_market": 120, "smb": 240}
KINDS = ("call", "call", "meeting", "email", "email", "visit")
EXPANSIONS_A_QUARTER = {"strategic": 0.5, "enterprise": 0.2, "mid_market": 0.09, "smb": 0.03}
OPEN_EXPANSIONS = {"strategic": 0.7, "enterprise": 0.32, "mid_market": 0.14, "smb": 0.05}
DEALS = {
    # share of the deals, win rate, least and most of the account's ARR
    "upsell": (0.5, 0.63, 0.04, 0.16),
    "cross_sell": (0.36, 0.44, 0.08, 0.24),
    "transformational": (0.14, 0.29, 0.25, 0.5),
}
RESPONSE_HOURS = {"strategic": (4, 2.6), "enterprise": (8, 5.2), "mid_market": (24, 15.0)}
"""Target, and what is usual."""


def band_of(account: Account) -> str:
    """Its tier: the one named, else the one its ARR was drawn for."""
    return account.get("tier") or account["band"]


class Practice:
    """Draws everything for finished accounts (with ids and final owners); `tables` holds header and rows by name."""

    def __init__(self, seed: int, accounts: list[Account], team: Mapping[str, Account], history: Rows) -> None:
        self.seed = seed
        self.accounts = accounts
        self.team = team
        self.before = {str(row[0]): str(row[2]) for row in history}
        self.pool: dict[str, list[str]] = {}

    def tables(self, pools: Iterable[tuple[str, str]]) -> dict[str, tuple[list[str], Rows]]:
        """The five tables; also completes the accounts' columns in place."""
        for pool, member in pools:
            self.pool.setdefault(pool, []).append(member)
        touches = self._touches()
        deals = self._deals()
        self._complete_accounts(deals)
        number = {place: self._find(place)["account_id"] for place in GLOBAL}
        deal_columns = ["account_id", "type", "amount", "close_date", "stage", "discovered_by", "forecast"]
        return {
            "touches": (["account_id", "am_id", "date", "kind"], touches),
            "opportunities": (deal_columns, deals),
            "quotas": (["am_id", "period", "quota", "actual"], self._quotas(deals)),
            "splits": (
                ["account_id", "am_id", "role", "credit", "decided_by"],
                [(number[place], *rest) for place, *rest in SPLITS],
            ),
            "metrics": (["subject", "id", "name", "value", "target", "date"], self._metrics(touches)),
        }

    def _find(self, place: str) -> Account:
        """The account of that name, or of that owner, tier and rank (`AM-08 strategic 2`)."""
        owner, band, rank = (*place.split(), "")[:3]
        book = [a for a in self.accounts if a["name"] == place or (a["owner"], a["band"]) == (owner, band)]
        return sorted(book, key=lambda a: -int(a["arr"]))[int(rank or 1) - 1]

    def _touches(self) -> Rows:
        random = Random(f"{self.seed} touches")
        rows: Rows = []
        for account in self.accounts:
            if account.get("last_touch"):
                days = _touch_days(random, account)
                kinds = self._kinds(random, account, days)
                rows += [
                    (account["account_id"], self._who(random, account, day), day, kind)
                    for day, kind in zip(days, kinds, strict=True)
                ]
        return sorted(rows, key=lambda row: (str(row[2]), str(row[0])))

    def _kinds(self, random: Random, account: Account, days: list[date]) -> list[str]:
        """A QBR a quarter where it is held, an executive now and then, else what comes."""
        kinds = [random.choice(KINDS) for _ in days]
        band = band_of(account)
        if band not in ("strategic", "enterprise"):
            return kinds
        held = 0.4 if account["owner"] in RED else 0.88
        for first, last in QUARTERS.values():
            inside = [place for place, day in enumerate(days) if first <= day <= last]
            if inside and random.random() < held:
                kinds[random.choice(inside)] = "qbr"
        for place, kind in enumerate(kinds):
            if kind in ("call", "meeting") and random.random() < (0.35 if band == "strategic" else 0.25):
                kinds[place] = "executive"
        return kinds

    def _who(self, random: Random, account: Account, day: date) -> str:
        """The owner of that day where he is known; after the leaver went, the CSM."""
        owner = account["owner"]
        if owner in self.pool:
            return random.choice(self.pool[owner])
        if str(day) < account["owner_since"]:
            return self.before.get(account["account_id"], "")
        return account.get("csm", "") if owner == LEAVER and day >= LEFT else owner

    def _deals(self) -> Rows:
        random = Random(f"{self.seed} opportunities")
        rows: Rows = []
        for account in self.accounts:
            rows += _renewals(random, account)
            rows += [self._closed(random, account, quarter) for quarter in QUARTERS if _any(random, account)]
            if random.random() < OPEN_EXPANSIONS[band_of(account)]:
                rows.append(self._open(random, account))
        return sorted(rows, key=lambda row: (str(row[3]), str(row[0]), str(row[1])))

    def _closed(self, random: Random, account: Account, quarter: str) -> tuple[object, ...]:
        kind, amount = _deal(random, account)
        won = random.random() < DEALS[kind][1]
        first, last = QUARTERS[quarter]
        day = first + timedelta(days=random.randint(0, (last - first).days))
        forecast = amount * (random.uniform(0.85, 1.12) if won else random.choice([0, 0, 0.2]))
        if account["owner"] == OPTIMIST and quarter == LAST:
            forecast = amount * OPTIMISM
        stage = "won" if won else "lost"
        return account["account_id"], kind, amount, day, stage, self._finder(random, account), _hundreds(forecast)

    def _open(self, random: Random, account: Account) -> tuple[object, ...]:
        kind, amount = _deal(random, account)
        late = account["owner"] == OPTIMIST and random.random() < 0.4
        day = EFFECTIVE - timedelta(days=16) if late else EFFECTIVE + timedelta(days=random.randint(5, 170))
        forecast = _hundreds(amount * random.uniform(0.3, 0.8))
        return account["account_id"], kind, amount, day, "open", self._finder(random, account), forecast

    def _finder(self, random: Random, account: Account) -> str:
        """Who found it: the AM, the CSM, or what is not a person."""
        owner = account["owner"]
        own = 0.25 if owner in RED else 0.8 if owner == SCOUT else 0.5
        if owner and random.random() < own:
            return self.pool.get(owner, [owner])[0]
        others = [name for name in (account.get("csm", ""), "customer", "marketing") if name]
        return random.choice(others)

    def _complete_accounts(self, deals: Rows) -> None:
        random = Random(f"{self.seed} accounts")
        still_open, won = _sums(deals)
        programme = {self._find(place)["account_id"]: people for place, people in GLOBAL.items()}
        for account in self.accounts:
            number = account["account_id"]
            band = band_of(account)
            grr = _grr(random, account)
            contracts = random.randint(1, {"strategic": 6, "enterprise": 4, "mid_market": 2, "smb": 1}[band])
            gam, sponsor = programme.get(number, ("", ""))
            drawn = random.choice(SPONSORS) if random.random() < _sponsored(account, band) else ""
            account.update(
                opportunity=str(still_open.get(number, "") or ""),
                grr_forecast=f"{grr:.2f}",
                nrr_forecast=f"{grr + random.choice([0, 0.04, 0.08, 0.15, 0.24]):.2f}",
                is_global="true" if gam else "",
                gam=gam,
                sponsor=sponsor if gam else drawn,
                expansion_arr_12m=str(won.get(number, "") or ""),
                contracts=str(contracts),
                coterminous="" if contracts == 1 else random.choice(["true", "false"]),
                wallet_share=f"{random.betavariate(3, 3.4):.2f}",
            )

    def _quotas(self, deals: Rows) -> Rows:
        """New ARR won in the AM's book against some 2 % of it a quarter; the quarter that begins has no result."""
        random = Random(f"{self.seed} quotas")
        owner = {a["account_id"]: self.pool.get(a["owner"], [a["owner"]])[0] for a in self.accounts}
        book: dict[str, int] = defaultdict(int)
        for account in self.accounts:
            book[owner[account["account_id"]]] += int(account["arr"])
        actual: dict[tuple[str, str], int] = defaultdict(int)
        for number, kind, amount, day, stage, *_ in deals:
            if stage == "won" and kind != "renewal":
                actual[owner[str(number)], _quarter(day)] += int(str(amount))
        rows: Rows = []
        for am, member in self.team.items():
            if book[am] and member["role"] != "manager":
                quota = max(5_000, round(book[am] * random.uniform(0.015, 0.022) / 5_000) * 5_000)
                rows += [(am, name, quota, actual[am, name]) for name in list(QUARTERS)[1:]]
                rows.append((am, "2026-Q4", quota, ""))
        return rows

    def _metrics(self, touches: Rows) -> Rows:
        random = Random(f"{self.seed} metrics")
        rows: Rows = []
        held: dict[str, list[tuple[date, str]]] = defaultdict(list)
        for number, _, day, kind in touches:
            held[str(number)].append((day, str(kind)))  # type: ignore[arg-type]
        for account in sorted(self.accounts, key=lambda account: account["account_id"]):
            band = band_of(account)
            if band in ("strategic", "enterprise"):
                rows += _relationship(random, account, held[account["account_id"]])
            if band != "smb" and account["owner"]:
                rows += _operations(random, account)
        rows += self._programme()
        end = QUARTERS[LAST][1]
        for am, member in self.team.items():
            if member["role"] != "manager" and member["status"] == "active":
                rows.append(("am", am, "nps", round(random.gauss(22 if am in RED else 41, 9)), 40, end))
        managers = sorted({member["manager"] for member in self.team.values()} - {""})
        rows += [("team", manager, "nps", round(random.gauss(37, 5)), 40, end) for manager in managers]
        return rows

    def _programme(self) -> Rows:
        """The own revenue of strategic customers, and the reviews of those that are global."""
        random = Random(f"{self.seed} programme")
        known = {self._find(place)["account_id"]: figures for place, figures in REVIEWED.items()}
        end = QUARTERS[LAST][1]
        rows: Rows = []
        for account in sorted(self.accounts, key=lambda account: account["account_id"]):
            number = account["account_id"]
            if band_of(account) == "strategic":
                drawn = random.randint(8, 190) * 10_000_000
                revenue, day = known.get(number, (drawn, None))
                rows.append(("account", number, "customer_revenue", revenue, "", end))
                rows += [("account", number, "global_review", 1, "", day)] if day else []
        return rows


def team_columns(team: Mapping[str, Account]) -> dict[str, tuple[str, str]]:
    """E-mail and yearly cost by AM: an open position has no address, and costs what it is budgeted with."""
    found = {}
    for am, member in team.items():
        plain = unicodedata.normalize("NFD", member["name"]).encode("ascii", "ignore").decode().lower()
        email = "" if member["status"] == "open" else f"{plain.replace(' ', '.')}@example.com"
        cost = round(COST[member["role"]] * float(member["fte"] or 1))
        found[am] = (email, str(cost))
    return found


def _touch_days(random: Random, account: Account) -> list[date]:
    """Backwards from the last touch, in gaps about the tier's; longer ones in red books since they are red."""
    band = band_of(account)
    day, days = date.fromisoformat(account["last_touch"]), []
    while day >= FIRST_DAY:
        days.append(day)
        longer = 1.9 if account["owner"] in RED and day > BECAME_RED else 1
        gap = random.gammavariate(3, GAP[band] / 3) * longer
        day -= timedelta(days=max(2, min(round(gap), round(LONGEST_GAP[band] * longer))))
    return days[::-1]


def _renewals(random: Random, account: Account) -> Rows:
    """Last year's renewal, of which a contract may be lost, and the one that is due this quarter."""
    due, arr, number = date.fromisoformat(account["renewal_date"]), int(account["arr"]), account["account_id"]
    past = due.replace(year=due.year - 1, day=min(due.day, 28))
    finder = account["owner"] if account["owner"].startswith("AM") else ""
    rows: Rows = []
    lost = random.random() < (0.2 if account["owner"] in (*RED, WORRIED) else 0.06)
    share = random.uniform(0.15, 0.4)
    if past < EFFECTIVE:
        before = _hundreds(arr * random.uniform(0.86, 1))
        rows.append((number, "renewal", before, past, "won", finder, _hundreds(before * random.uniform(0.96, 1.03))))
        if lost:
            gone = _hundreds(before * share)
            rows.append((number, "renewal", gone, past, "lost", finder, _hundreds(gone * random.choice([0, 0.5, 1]))))
    if THIS_QUARTER[0] <= due <= THIS_QUARTER[1]:
        rows.append((number, "renewal", arr, due, "open", finder, _hundreds(arr * random.uniform(0.88, 1))))
    return rows


def _any(random: Random, account: Account) -> bool:
    return random.random() < EXPANSIONS_A_QUARTER[band_of(account)]


def _deal(random: Random, account: Account) -> tuple[str, int]:
    """A kind of expansion and its amount; transformational ones are for large customers."""
    large = band_of(account) in ("strategic", "enterprise")
    kinds = [kind for kind in DEALS if large or kind != "transformational"]
    kind = random.choices(kinds, [DEALS[kind][0] for kind in kinds])[0]
    _, _, least, most = DEALS[kind]
    return kind, max(100, _hundreds(int(account["arr"]) * random.uniform(least, most)))


def _sums(deals: Rows) -> tuple[dict[str, int], dict[str, int]]:
    """Per account: open expansions, and what was won of them in the last twelve months."""
    still_open: dict[str, int] = defaultdict(int)
    won: dict[str, int] = defaultdict(int)
    for number, kind, amount, day, stage, *_ in deals:
        if kind == "renewal":
            continue
        if stage == "open":
            still_open[str(number)] += int(str(amount))
        elif stage == "won" and str(day) >= "2025-10-01":
            won[str(number)] += int(str(amount))
    return still_open, won


def _grr(random: Random, account: Account) -> float:
    health = int(account["health"])
    low, high = (0.95, 1.0) if health >= 70 else (0.9, 0.98) if health >= 50 else (0.78, 0.93)
    return random.uniform(low, high) - (0.09 if account["owner"] == WORRIED else 0)


def _sponsored(account: Account, band: str) -> float:
    if band == "strategic":
        return 0.95
    return 0 if band != "enterprise" else 0.45 if account["owner"] in RED else 0.8


def _relationship(random: Random, account: Account, touches: list[tuple[date, str]]) -> Rows:
    """Plan, EBR, QBRs of two quarters (held: the day of that touch), executive touches, advocacy, value realised."""
    number, red = account["account_id"], account["owner"] in RED
    first, end = QUARTERS[LAST]
    rows: Rows = []

    def add(name: str, value: object, target: object, day: date = end) -> None:
        rows.append(("account", number, name, value, target, day))

    add("account_plan", int(random.random() < (0.5 if red else 0.84)), 1)
    add("ebr", int(random.random() < (0.4 if red else 0.78)), 1)
    for quarter in ("2026-Q2", LAST):
        start, last = QUARTERS[quarter]
        held = [day for day, kind in touches if kind == "qbr" and start <= day <= last]
        add("qbr", int(bool(held)), 1, held[0] if held else last)
    add("executive_touch", sum(kind == "executive" and first <= day <= end for day, kind in touches), 1)
    add("advocacy", int(random.random() < (0.15 if red else 0.35)), "")
    add("value_realized", f"{min(1, random.gauss(0.66 if red else 0.79, 0.12)):.2f}", 0.8)
    return rows


def _operations(random: Random, account: Account) -> Rows:
    """Adoption, issues and how fast they are solved, and the response time of the last quarter."""
    number, red, end = account["account_id"], account["owner"] in RED, QUARTERS[LAST][1]
    adoption = min(0.99, max(0.1, random.gauss(int(account["health"]) / 100, 0.09)))
    issues = int(random.expovariate(1 / (3.2 if red else 1.6)))
    target, usual = RESPONSE_HOURS[band_of(account)]
    hours = random.gammavariate(4, usual / 4) * (1.7 if red else 1)
    rows: Rows = [
        ("account", number, "adoption", f"{adoption:.2f}", 0.7, end),
        ("account", number, "open_issues", issues, 2, end),
        ("account", number, "response_hours", f"{hours:.1f}", target, end),
    ]
    if issues:
        days = random.gammavariate(3, (7.5 if red else 4) / 3)
        rows.append(("account", number, "days_to_resolve", f"{days:.1f}", 5, end))
    return rows


def _quarter(day: object) -> str:
    year, month = str(day)[:4], int(str(day)[5:7])
    return f"{year}-Q{(month + 2) // 3}"


def _hundreds(amount: float) -> int:
    return round(amount / 100) * 100

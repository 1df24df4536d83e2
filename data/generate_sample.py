"""Write the sample book: a made-up company's accounts and team, the same bytes for the same seed.

`python data/generate_sample.py [--out DIR] [--seed N]`. The team is written down here; its accounts are drawn at
random, then `_tell_the_story` plants what `data/README.md` lists; `sample_practice` adds what the practice of coverage
needs. Uses the standard library only.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random

from sample_practice import ACCOUNT_COLUMNS, Practice, team_columns

SEED = 1
EFFECTIVE = date(2026, 10, 1)
SAMPLE = Path(__file__).parent / "sample"

Account = dict[str, str]

AMS = """\
am_id,name,role,book,tiers,region,language,skills,capacity,fte,ramp,status,starts_on,leaves_on,manager,max_accounts,floor
AM-01,Annika Sörensen,strategic,segmented,strategic;enterprise,EMEA,English;German,core;procurement,,,,active,,,Petra Aldervik,,
AM-02,Jonas Feldhaus,regular,,,EMEA,English;German,core,,,,active,,,Petra Aldervik,,
AM-03,Camille Dorvaux,regular,,,EMEA,English;French,core;integrations,,,,active,,,Petra Aldervik,,
AM-04,Rory Blackmere,regular,,,EMEA,English;German,core,,,,active,,2026-09-18,Petra Aldervik,,
AM-05,Inés Calavera,regular,,,EMEA,English;French,core,,0.8,,active,,,Petra Aldervik,,
AM-06,Tom Wexcombe,junior,pooled,mid_market;smb,EMEA,English;French;German,core,70,0.6,,active,,,Petra Aldervik,,
AM-07,Leïla Benhadda,regular,,,EMEA;APAC,English;French,core;procurement,,,,active,,,Petra Aldervik,,
AM-08,Marcus Ellingwood,strategic,segmented,strategic;enterprise,AMER East,English,core;integrations,,,,active,,,Dana Whitlock,,
AM-09,Priya Ranganath,regular,,,AMER East,English,core;procurement,,,,active,,,Dana Whitlock,,
AM-10,Caleb Thornquist,regular,,,AMER East,English,core;integrations,,,,active,,,Dana Whitlock,33,
AM-11,Renée Castellane,regular,,,AMER East,English;French,core,,,,leave,,,Dana Whitlock,,
AM-12,Omar Haddix,junior,,mid_market;smb,AMER East,English,core,70,,,active,,,Dana Whitlock,,
AM-13,Grace Okonjo,junior,,mid_market;smb,AMER East,English,core;procurement,70,,,active,,,Dana Whitlock,,
AM-14,Peter Vandermolen,regular,,,AMER East,English,core,,,,active,,,Dana Whitlock,,
AM-15,Sofia Marchetti-Lowe,strategic,segmented,strategic;enterprise,AMER West,English,core;procurement,,,,active,,,Hugo Estevan,,
AM-16,Derek Yoo,regular,,,AMER West,English,core,,,,active,,,Hugo Estevan,,
AM-17,Hannah Brightwell,regular,,,AMER West,English,core;integrations,,,,active,,,Hugo Estevan,,
AM-18,Luis Arroyo-Vance,junior,,mid_market;smb,AMER West,English,core,70,,,active,,,Hugo Estevan,,
AM-19,Maya Lindgren,regular,,,AMER West,English,core;integrations,,,0.5,active,2026-09-01,,Hugo Estevan,,0.5
AM-20,Nathan Osgood,regular,blended,,AMER East;AMER West,English,core;procurement,,,,active,,,Hugo Estevan,,
AM-21,Haruka Minase,strategic,segmented,strategic;enterprise,APAC,English;Japanese,core;integrations,,,,active,,,Wei Ling Tan,,
AM-22,Daniel Kowhai,regular,,,APAC,English;Japanese,core,,,,active,,,Wei Ling Tan,,
AM-23,Aditi Sundaresh,junior,,mid_market;smb,APAC,English,core;procurement,70,,,active,,,Wei Ling Tan,,
AM-24,Dana Whitlock,manager,,,AMER East;AMER West,English,core;integrations;procurement,,,,active,,,,,
AM-25,Ilse Vandekamp,junior,pooled,mid_market;smb,EMEA,English;German,core,70,0.4,,active,,,Petra Aldervik,,
AM-26,Open position,regular,,,EMEA,English;German,core,,,0.5,open,2026-11-16,,Petra Aldervik,,
"""  # noqa: E501

CSMS = """\
csm_id,name,capacity,fte,region,starts_on,extra_duties
CSM-01,Freya Holmqvist,,0.7,EMEA,,
CSM-02,Björn Achterberg,0.6,,EMEA,,true
CSM-03,Nadia Rosselin,,0.5,EMEA,,
CSM-04,Terrence Cobley,,0.9,AMER East,,
CSM-05,Yasmin Farrow,0.7,,AMER East,,true
CSM-06,Ian Pellworth,,0.62,AMER East;AMER West,,
CSM-07,Valentina Oduya,,0.8,AMER West,,
CSM-08,Scott Renshaw,,0.6,AMER West,,
CSM-09,Kenji Asahara,,0.5,APAC,,
CSM-10,Marama Tuhoe,,0.65,APAC,2026-03-02,
"""

POD_CSMS = {
    "AM-01": "CSM-01 CSM-02",
    "AM-02": "CSM-01 CSM-02",
    "AM-03": "CSM-02 CSM-03",
    "AM-04": "CSM-01 CSM-03",
    "AM-05": "CSM-03 CSM-01",
    "AM-06": "CSM-02 CSM-03",
    "AM-07": "CSM-01 CSM-09",
    "AM-08": "CSM-04 CSM-05",
    "AM-09": "CSM-04 CSM-06",
    "AM-10": "CSM-05 CSM-04",
    "AM-11": "CSM-06",
    "AM-12": "CSM-04 CSM-05",
    "AM-13": "CSM-06 CSM-05",
    "AM-14": "CSM-05 CSM-04",
    "AM-15": "CSM-07 CSM-08",
    "AM-16": "CSM-07 CSM-08",
    "AM-17": "CSM-08 CSM-07",
    "AM-18": "CSM-07",
    "AM-19": "CSM-08 CSM-07",
    "AM-20": "CSM-06 CSM-08",
    "AM-21": "CSM-09 CSM-10",
    "AM-22": "CSM-10 CSM-09",
    "AM-23": "CSM-10",
    "AM-24": "CSM-04",
    "AM-25": "CSM-02 CSM-03",
    "AM-26": "CSM-01 CSM-03",
}

POOL, POOL_MEMBERS = "POOL-EMEA", ("AM-06", "AM-25")

TIERS = ("strategic", "enterprise", "mid_market", "smb")

BOOKS = {
    # strategic, enterprise, mid-market and SMB accounts of each AM; the last row is what nobody owns
    "AM-01": (6, 8, 0, 0),
    "AM-02": (1, 8, 14, 4),
    "AM-03": (2, 14, 15, 4),  # red
    "AM-04": (1, 4, 11, 4),  # the leaver
    "AM-05": (0, 6, 14, 4),
    "AM-06": (0, 1, 23, 8),
    "AM-07": (1, 8, 13, 2),
    "AM-08": (7, 6, 0, 0),
    "AM-09": (2, 13, 17, 3),  # red
    "AM-10": (0, 8, 16, 3),
    "AM-11": (0, 6, 14, 0),  # on leave
    "AM-12": (0, 1, 24, 7),
    "AM-13": (0, 0, 26, 7),
    "AM-14": (1, 11, 21, 3),  # between 100 and 110 %
    "AM-15": (6, 9, 0, 0),
    "AM-16": (1, 14, 18, 3),  # red
    "AM-17": (1, 9, 16, 3),
    "AM-18": (0, 0, 28, 9),
    "AM-20": (1, 8, 16, 4),
    "AM-21": (6, 7, 0, 0),
    "AM-22": (1, 12, 18, 1),  # between 100 and 110 %
    "AM-23": (0, 1, 24, 7),
    "AM-24": (1, 2, 0, 0),  # the manager
    "": (0, 1, 1, 0),
}

ARR = {
    # median and spread of a lognormal draw, kept inside the tier's band
    "strategic": (780_000, 0.45, 500_000, 3_200_000),
    "enterprise": (165_000, 0.42, 100_000, 490_000),
    "mid_market": (44_000, 0.38, 25_000, 99_000),
    "smb": (11_000, 0.6, 1_800, 24_500),
}
PRODUCTS = {"strategic": (4, 9), "enterprise": (2, 7), "mid_market": (1, 4), "smb": (1, 2)}
STAKEHOLDERS = {"strategic": (5, 14), "enterprise": (2, 9), "mid_market": (1, 5), "smb": (1, 2)}
CSM_SHARE = {"strategic": 1.0, "enterprise": 1.0, "mid_market": 0.95, "smb": 0.2}
LOAD = {"strategic": 1 / 35, "enterprise": 1 / 75, "mid_market": 1 / 125, "smb": 1 / 200}

STEMS = {
    "EMEA": (
        "Ålgren Aurelle Baltrum Björkdal Bréval Brückner Cairnmuir Calderón Corvigne Dörnfeld Elbmark Fjordane Gävlund "
        "Harrowick Häusling Île-Verte Kestrelby Königsforst Lindhagen Lóránt Malverley Montségur Nørreby Oderwald "
        "Pennfold Rhônedal Sønderholt Tarnbrook Überlohe Valmarín Wrenbury Zürnberg"
    ),
    "AMER East": (
        "Alderpoint Ashgrove Beaconridge Briarcliffe Chesterlane Copperfield Dovercrest Eastmarch Fairhollow Glenhaven "
        "Hawthorne Ironbridge Juniperhill Kingsferry Larkspur Maplecourt Northgate Oakmoor Pinehurst Quillstone "
        "Riverbend Saltmarsh Thornfield Underwood Vineyardside Westerly Yarrowdale Québecois"
    ),
    "AMER West": (
        "Agavero Bluemesa Canyonlight Cedarfall Coppersky Desertrose Evergreenside Foghorn Goldenspur Highsierra "
        "Indigobay Jackrabbit Keystoneridge Lonepine Mesquite Nightheron Obsidian Palomar Quailrun Redrockway "
        "Sagebrush Tidepool Umbercliff Vistamar Wildmustard Xeric Yuccaline Peñasco"
    ),
    "APAC": (
        "Akebono Banksiana Coralsea Daintree Eucalypta Fernleaf Gingkoya Harbourlight Illawong Jarrahdale Kōwhara "
        "Lotuspond Minatogawa Nagisa Orchidane Pōhutuka Quokkabay Rataview Sakuragi Tamarindo Ulunari Wattlecreek "
        "Yūhara Zhenlan"
    ),
}
TRADES = {
    "Logistics": "Freight Logistics Shipping Haulage Warehousing",
    "Manufacturing": "Castings Components Machinery Plastics Toolworks",
    "Retail": "Outfitters Grocers Homewares Markets Stores",
    "Software": "Analytics Cloud Data Robotics Systems",
    "Healthcare": "Biologics Clinics Diagnostics Health Medical",
    "Financial services": "Capital Credit Insurance Mutual Payments",
    "Energy": "Energy Grid Power Renewables Solar",
    "Education": "Academy College Learning Publishing Schools",
    "Media": "Broadcasting Games Media Pictures Studios",
    "Hospitality": "Hotels Kitchens Resorts Travel Vineyards",
}

BOOK = """\
# See data/README.md.
model = "coverage_units"
effective_date = {date}

[overrides.families]
free = ["{head}"] # {name}: franchisees who buy on their own
"""

RED = ("AM-03", "AM-09", "AM-16")
"""Books above 110 %: their accounts are touched less and are in poorer health."""

STORY = """
AM-03 | mid_market | 0  | lock_reason   | Renewal in negotiation
AM-09 | mid_market | 0  | lock_reason   | Sponsor was promised no change this year
AM-09 | mid_market | 0  | lock_until    | 2026-12-31
AM-16 | mid_market | 1  | lock_reason   | Legal dispute, named contact only
AM-22 | mid_market | 0  | lock_reason   | Migration project
AM-22 | mid_market | 0  | lock_until    | 2027-01-31
AM-04 | enterprise | 1  | lock_reason   | Customer asked to keep Rory Blackmere
AM-09 | mid_market | 1  | lock_reason   | Price dispute, settled in August
AM-09 | mid_market | 1  | lock_until    | 2026-08-31
AM-16 | mid_market | 0  | ae_hold_until | 2026-12-31
AM-14 | mid_market | 5  | assign_to     | AM-10
      | enterprise | 0  | region        | EMEA
AM-10 | mid_market | 8  | region        | AMER West
AM-17 | enterprise | 4  | region        | AMER East
AM-05 | enterprise | 3  | language      | German
AM-23 | mid_market | 9  | language      | Japanese
AM-14 | enterprise | 6  | skills        | procurement
AM-01 | enterprise | 2  | language      | German
AM-01 | strategic  | 3  | language      | German
AM-02 | enterprise | 3  | language      | German
AM-02 | mid_market | 4  | language      | German
AM-02 | mid_market | 7  | language      | German
AM-04 | enterprise | 2  | language      | German
AM-04 | mid_market | 6  | language      | German
AM-06 | mid_market | 5  | language      | German
AM-03 | enterprise | 2  | language      | French
AM-03 | mid_market | 2  | language      | French
AM-03 | mid_market | 9  | language      | French
AM-07 | enterprise | 1  | language      | French
AM-21 | strategic  | 2  | language      | Japanese
AM-21 | enterprise | 3  | language      | Japanese
AM-22 | enterprise | 5  | language      | Japanese
AM-22 | mid_market | 1  | language      | Japanese
AM-22 | mid_market | 6  | language      | Japanese
AM-08 | strategic  | 1  | skills        | integrations
AM-08 | enterprise | 2  | skills        | integrations
AM-10 | enterprise | 4  | skills        | integrations
AM-17 | mid_market | 3  | skills        | integrations
AM-21 | enterprise | 5  | skills        | integrations
AM-09 | enterprise | 3  | skills        | procurement
AM-09 | mid_market | 4  | skills        | procurement
AM-13 | mid_market | 6  | skills        | procurement
AM-15 | enterprise | 1  | skills        | procurement
AM-20 | mid_market | 2  | skills        | procurement
AM-17 | mid_market | 11 | assign_csm    | CSM-07
AM-12 | mid_market | 20 | exclude_reason | Served by the partner desk since July
AM-23 | smb        | 0  | exclude_reason | Contract ends 2026-12-31 and is not renewed
AM-09 | mid_market | 2  | owner_since   | 2026-05-04
AM-09 | mid_market | 5  | owner_since   | 2026-06-15
AM-20 | mid_market | 12 | owner         | AM-18
AM-20 | mid_market | 11 | owner         | AM-13
AM-20 | mid_market | 10 | owner         | AM-18
AM-20 | mid_market | 9  | owner         | AM-18
AM-20 | mid_market | 8  | owner         | AM-13
AM-20 | mid_market | 7  | owner         | AM-18
AM-20 | mid_market | 6  | owner         | AM-13
"""
"""Owner (none: unowned), tier, rank by ARR within the book (0 is the smallest), column, value."""

FAMILIES = """
AM-16 | mid_market | 4  | Castellon Brands     | Retail
AM-16 | mid_market | 3  | Castellon Footwear   | Retail
AM-16 | mid_market | 2  | Castellon Apparel    | Retail
AM-02 | enterprise | 4  | Stromvik Energy      | Energy
AM-04 | mid_market | 1  | Stromvik Grid        | Energy
AM-10 | enterprise | 3  | Larchmont Power      | Energy
AM-09 | mid_market | 3  | Larchmont Solar      | Energy
AM-01 | strategic  | 4  | Vantera Data         | Software
AM-21 | enterprise | 1  | Vantera Robotics     | Software
AM-22 | mid_market | 3  | Vantera Analytics    | Software
AM-14 | enterprise | 5  | Colbourne Hotels     | Hospitality
AM-14 | mid_market | 2  | Colbourne Travel     | Hospitality
AM-14 | mid_market | 0  | Colbourne Vineyards  | Hospitality
"""
"""Owner, tier, rank, name, industry. The first of a name is the parent of the others that share its first word."""

FREE_FAMILY = "Colbourne"
"""Franchisees who buy on their own: the book lets them part."""

SINCE = "2026-01-01"
"""First day of the history of owners."""

HEADER = (
    "account_id name owner csm arr tier region products stakeholders complexity industry parent_id lock lock_reason "
    "lock_until renewal_date owner_since csm_since health language skills last_touch ae_hold_until assign_to "
    "assign_csm exclude exclude_reason"
)


def generate(seed: int = SEED) -> dict[str, str]:
    """The text of every file of the sample by name."""
    random = Random(seed)
    team = {row["am_id"]: row for row in csv.DictReader(io.StringIO(AMS))}
    accounts = _accounts(random, team)
    _tell_the_story(accounts)
    _give_csms(random, accounts)
    random.shuffle(accounts)
    for number, account in enumerate(accounts, start=1):
        account["account_id"] = f"A-{number:04}"
    heads = _parents(accounts)
    _share_an_inbox(accounts)
    history = _history(seed, accounts, team)
    pool = [(POOL, member) for member in POOL_MEMBERS]
    practice = Practice(seed, accounts, team, history).tables(pool)
    columns = [*HEADER.split(), *ACCOUNT_COLUMNS]
    pods = [(f"POD-{am[-2:]}", am, csm) for am, csms in POD_CSMS.items() for csm in csms.split()]
    return {
        "accounts.csv": _csv(columns, [[account.get(column, "") for column in columns] for account in accounts]),
        "ams.csv": _with_columns(AMS, ["email", "cost"], team_columns(team)),
        "csms.csv": CSMS,
        "pods.csv": _csv(["pod_id", "am_id", "csm_id"], pods),
        "pools.csv": _csv(["pool_id", "am_id"], pool),
        "history.csv": _csv(["account_id", "role", "from", "to", "date"], history),
        **{f"{name}.csv": _csv(header, rows) for name, (header, rows) in practice.items()},
        "book.toml": BOOK.format(date=EFFECTIVE, name=FREE_FAMILY, head=heads[FREE_FAMILY]),
    }


def write(folder: Path, seed: int = SEED) -> None:
    """Write the sample's files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in generate(seed).items():
        (folder / name).write_bytes(text.encode("utf-8"))


def _accounts(random: Random, team: dict[str, Account]) -> list[Account]:
    names = _Names(random)
    accounts = []
    for owner, counts in BOOKS.items():
        regions = team[owner]["region"].split(";") if owner else ["EMEA", "AMER West"]
        for tier, count in zip(TIERS, counts, strict=True):
            accounts += [_account(random, names, owner, tier, random.choice(regions)) for _ in range(count)]
    return accounts


def _account(random: Random, names: _Names, owner: str, tier: str, region: str) -> Account:
    """One account as its owner knows it. `band` is its tier, kept for the story and not written."""
    industry = random.choice(list(TRADES))
    overworked = owner in RED
    account = {
        "name": names.new(region, industry),
        "owner": owner,
        "band": tier,
        "arr": str(_arr(random, tier)),
        "region": region,
        "products": str(random.randint(*PRODUCTS[tier])),
        "stakeholders": str(random.randint(*STAKEHOLDERS[tier])),
        "complexity": random.choice(["0.8", "1.2", "1.25"]) if tier != "smb" and random.random() < 0.08 else "",
        "industry": industry,
        "renewal_date": _day(random, 4, 390),
        "health": str(min(99, max(18, round(random.gauss(64 if overworked else 74, 13))))),
    }
    if owner:
        silence = min(150, 3 + round(random.expovariate(1 / (34 if overworked else 17))))
        account["last_touch"] = str(EFFECTIVE - timedelta(days=silence))
        account["owner_since"] = _day(random, -2700, -120)
    return account


def _arr(random: Random, tier: str) -> int:
    median, spread, low, high = ARR[tier]
    while True:
        amount = median * random.lognormvariate(0, spread)
        if low <= amount <= high:
            return round(amount / 100) * 100


def _day(random: Random, first: int, last: int) -> str:
    return str(EFFECTIVE + timedelta(days=random.randint(first, last)))


class _Names:
    """Names of companies, each given once."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.given: set[str] = set()

    def new(self, region: str, industry: str) -> str:
        """A stem of the region and a word of the trade."""
        while True:
            stem = self.random.choice(STEMS[region].split())
            name = f"{stem} {self.random.choice(TRADES[industry].split())}"
            if name not in self.given:
                self.given.add(name)
                return name


def _tell_the_story(accounts: list[Account]) -> None:
    """Families, locks, holds, wishes, tags and legacy owners, on accounts chosen by owner, tier and rank of ARR."""
    for line in FAMILIES.strip().splitlines():
        owner, tier, rank, name, industry = (part.strip() for part in line.split("|"))
        _ranked(accounts, owner, tier)[int(rank)].update(name=name, industry=industry, family=name.split()[0])
    for line in STORY.strip().splitlines():
        owner, tier, rank, column, value = (part.strip() for part in line.split("|"))
        _ranked(accounts, owner, tier)[int(rank)][column] = value
    for owner in ("AM-01", "AM-08", "AM-15", "AM-21"):
        named, *_, largest = _ranked(accounts, owner, "strategic")
        named["tier"] = largest["tier"] = "strategic"
        named["arr"] = str(int(named["arr"]) * 6 // 1000 * 100)
    for account in accounts:
        if account.get("lock_reason"):
            account["lock"] = "true"
        if account.get("exclude_reason"):
            account["exclude"] = "true"


def _parents(accounts: list[Account]) -> dict[str, str]:
    """Write `parent_id` into the members of families; the id of each family's head by the family's name."""
    named = {account["name"]: account for account in accounts}
    heads: dict[str, str] = {}
    for line in FAMILIES.strip().splitlines():
        member = named[line.split("|")[3].strip()]
        head = heads.setdefault(member["family"], member["account_id"])
        member["parent_id"] = "" if head == member["account_id"] else head
    return heads


def _share_an_inbox(accounts: list[Account]) -> None:
    """The pool's small accounts belong to its inbox; of the others the second member owns every other one."""
    first, second = POOL_MEMBERS
    other = False
    for account in accounts:
        if account["owner"] != first:
            continue
        if account["band"] == "smb":
            account["owner"] = POOL
        elif account["band"] == "mid_market":
            account["owner"] = second if other else first
            other = not other


def _history(seed: int, accounts: list[Account], team: dict[str, Account]) -> list[tuple[object, ...]]:
    """Changes of AM since the year began: who had the account is drawn from the AMs of its region."""
    random = Random(f"{seed} history")
    rows: list[tuple[object, ...]] = []
    for account in accounts:
        owner = team.get(account["owner"])
        if owner is None or owner["am_id"] in POOL_MEMBERS or account["owner_since"] < SINCE:
            continue
        near = [
            am["am_id"]
            for am in team.values()
            if am is not owner
            and account["region"] in am["region"].split(";")
            and am["status"] != "open"
            and am["starts_on"] < account["owner_since"]
            and am["role"] == owner["role"]
        ]
        if near:
            rows.append((account["account_id"], "am", random.choice(near), owner["am_id"], account["owner_since"]))
    return sorted(rows, key=lambda row: (str(row[4]), str(row[0])))


def _ranked(accounts: list[Account], owner: str, tier: str) -> list[Account]:
    """The accounts of a tier in a book, smallest ARR first."""
    found = [account for account in accounts if account["owner"] == owner and account["band"] == tier]
    return sorted(found, key=lambda account: (int(account["arr"]), account["name"]))


def _give_csms(random: Random, accounts: list[Account]) -> None:
    """Each account that has a CSM gets the one of its AM's pod, serving its region if any, with the least load."""
    csms = {row["csm_id"]: row for row in csv.DictReader(io.StringIO(CSMS))}
    size = {name: float(row["capacity"] or 1) * float(row["fte"] or 1) for name, row in csms.items()}
    load: Counter[str] = Counter()
    for account in accounts:
        pod = POD_CSMS.get(account["owner"], "").split()
        if not pod or random.random() >= CSM_SHARE[account["band"]]:
            continue
        near = [name for name in pod if account["region"] in csms[name]["region"].split(";")]
        csm = min(near or pod, key=lambda name: (load[name] / size[name], name))
        load[csm] += LOAD[account["band"]]
        account["csm"] = csm
        earliest = max(account["owner_since"], csms[csm]["starts_on"])
        account["csm_since"] = str(date.fromisoformat(earliest) + timedelta(days=random.randint(0, 100)))


def _with_columns(table: str, names: list[str], values: Mapping[str, Sequence[str]]) -> str:
    """A table as text with further columns, by the value of its first one."""
    header, *rows = csv.reader(io.StringIO(table))
    return _csv([*header, *names], [[*row, *values[row[0]]] for row in rows])


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def main() -> None:
    """Read the command line and write the sample."""
    parser = argparse.ArgumentParser(description="Write the sample book.")
    parser.add_argument("--out", type=Path, default=SAMPLE, help="folder to write to (default: data/sample)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"seed of the random draws (default: {SEED})")
    options = parser.parse_args()
    write(options.out, options.seed)


if __name__ == "__main__":
    main()

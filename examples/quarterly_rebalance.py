# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The quarterly rebalance
#
# From the books as they stand to a plan that can be defended in front of every account manager: what is too full, what
# has to move, what that costs, why each account moves, and what it would cost not to.
#
# Open it as a notebook with `jupytext --to ipynb quarterly_rebalance.py`, or run it as a script. It needs
# `pip install "rebalancer[notebook]"`. Pictures are also written to the folder in `REBALANCER_PICTURES`
# (`pictures` if unset).

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

import rebalancer as rb
from rebalancer.explain.compare import FIGURES, compare
from rebalancer.explain.keep import keep
from rebalancer.shipped import shipped

PICTURES = Path(os.environ.get("REBALANCER_PICTURES", "pictures"))
PICTURES.mkdir(parents=True, exist_ok=True)
SECONDS = 30
BEFORE, AFTER, LIMIT = "#c9cfd6", "#2f6db3", "#b3362f"


def picture(figure, name):
    """Write a figure to the folder of pictures; a notebook shows it as well."""
    figure.savefig(PICTURES / f"{name}.png", dpi=120, bbox_inches="tight")


# %% [markdown]
# ## The books as they stand
#
# The sample book, or the book directory that `REBALANCER_BOOK` names. Everything wrong with the files is raised at once
# when they are read. What is only worth knowing is in `warnings`.

# %%
book = rb.load_book(os.environ.get("REBALANCER_BOOK") or shipped("data/sample"))
print(book)
print("\n".join(map(str, book.warnings)) or "No warnings.")

# %%
heat = rb.heatmap(book)
print(heat.groupby("band").agg(books=("am_id", "count"), accounts=("accounts", "sum"), arr=("arr", "sum")))
heat[["am_id", "name", "role", "units", "capacity", "utilization", "band", "binding", "accounts", "arr"]].head(8)

# %% [markdown]
# ## Two proposals
#
# `full` brings every book within its limits. `repair` cures only books beyond the trigger (110 %), and leaves alone
# what is between target and trigger. Both place the accounts of people who leave and those nobody owns.

# %%
full = rb.propose(book, time_limit=SECONDS)
print(full.summary())

# %%
repair = rb.propose(book, scope="repair", time_limit=SECONDS)
print(repair.summary())

# %% [markdown]
# The difference between the two is what being within limits everywhere costs, over curing the worst:

# %%
difference = compare(full, repair)
print(difference.text())
difference.figures.assign(figure=difference.figures["figure"].map(FIGURES))

# %% [markdown]
# ### Utilization before and after


# %%
def utilization_picture(proposal, title):
    """A pair of bars per book, fullest first, with the limit and the trigger."""
    books = proposal.books.sort_values("utilization_before", ascending=False, na_position="last").reset_index(drop=True)
    limits = proposal.model.limits
    figure, axes = plt.subplots(figsize=(max(7.0, 0.46 * len(books)), 4.2))
    axes.bar(books.index - 0.2, 100 * books["utilization_before"], width=0.4, color=BEFORE, label="before")
    axes.bar(books.index + 0.2, 100 * books["utilization_after"], width=0.4, color=AFTER, label="after")
    axes.axhline(100 * float(limits.target), color=LIMIT, linewidth=1.2, label="target")
    axes.axhline(100 * float(limits.trigger), color=LIMIT, linewidth=1.0, linestyle=":", label="trigger")
    axes.set_xticks(books.index, books["am_id"], rotation=60, ha="right", fontsize=8)
    axes.set_ylabel("units, % of capacity")
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    axes.legend(frameon=False, ncols=4, loc="upper right")
    axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
    return figure


picture(utilization_picture(full, "Every book ends within its limit (full)"), "utilization")

# %% [markdown]
# ### Who hands over to whom
#
# The width of a band is the units that move. Grey bands are forced: the owner leaves, or there is none.


# %%
def flow_picture(proposal, title):
    """Bands from the AMs who lose accounts to those who gain them."""
    moves = proposal.moves.assign(from_am=proposal.moves["from_am"].where(proposal.moves["from_am"] != "", "no owner"))
    bands = moves.groupby(["from_am", "to_am", "forced"], as_index=False).agg(units=("units", "sum"))
    gap = 0.02 * bands["units"].sum()
    left, right = (bands.groupby(side)["units"].sum().sort_values(ascending=False) for side in ("from_am", "to_am"))
    figure, axes = plt.subplots(figsize=(7.5, max(4.0, 0.36 * max(len(left), len(right)))))
    starts, ends = stacked(left, gap), stacked(right, gap)
    for x, column, tops, align in ((0.0, left, starts, "right"), (1.0, right, ends, "left")):
        for name, units in column.items():
            axes.plot([x, x], [-tops[name], -tops[name] - units], color="#333333", linewidth=4, solid_capstyle="butt")
            label = f"{name}  {units:,.1f}" if align == "right" else f"{units:,.1f}  {name}"
            offset = -0.02 if align == "right" else 0.02
            axes.text(x + offset, -tops[name] - units / 2, label, ha=align, va="center", fontsize=8)
    order = {name: place for place, name in enumerate(right.index)}
    for row in bands.sort_values("to_am", key=lambda names: names.map(order)).to_dict("records"):
        one, two, units = starts[row["from_am"]], ends[row["to_am"]], row["units"]
        starts[row["from_am"]] += units
        ends[row["to_am"]] += units
        axes.add_patch(ribbon(-one, -two, units, "#8a8f96" if row["forced"] else AFTER))
    axes.set_xlim(-0.22, 1.22)
    axes.set_title(title, loc="left")
    axes.axis("off")
    return figure


def stacked(column, gap):
    """Where each AM's part of a column begins, from the top."""
    height = column.clip(lower=2 * gap) + gap
    return (height.cumsum() - height).to_dict()


def ribbon(top_left, top_right, height, colour):
    """A band between two columns."""
    curve = [(0, top_left), (0.5, top_left), (0.5, top_right), (1, top_right)]
    back = [(1, top_right - height), (0.5, top_right - height), (0.5, top_left - height), (0, top_left - height)]
    codes = [Outline.MOVETO, *[Outline.CURVE4] * 3, Outline.LINETO, *[Outline.CURVE4] * 3, Outline.CLOSEPOLY]
    return PathPatch(Outline([*curve, *back, (0, top_left)], codes), facecolor=colour, alpha=0.45, linewidth=0)


picture(flow_picture(full, "Units that change hands: from, to"), "flow")

# %% [markdown]
# ## What "least" means
#
# The fewest accounts and the least value moved are different plans. Each is proven least in its own measure.

# %%
plans = {
    measure: full if measure == "revenue_at_risk" else rb.propose(book, measure=measure, time_limit=SECONDS)
    for measure in ("revenue_at_risk", "accounts", "units")
}
measures = pd.DataFrame({name: plan.record["disruption"] for name, plan in plans.items()}).T.rename_axis("minimised")
print(measures)

# %%
figure, panels = plt.subplots(1, 3, figsize=(9.5, 3))
names = ("revenue at risk, $1,000", "changes of owner", "units moved")
for panel, column, name in zip(panels, measures.columns, names, strict=True):
    values = measures[column] / (1000 if column == "revenue_at_risk" else 1)
    colours = [AFTER if row == column else BEFORE for row in measures.index]
    bars = panel.bar([row.replace("_", "\n") for row in measures.index], values, color=colours)
    panel.bar_label(bars, fmt="{:,.1f}" if column == "units" else "{:,.0f}", fontsize=8, padding=2)
    panel.set_title(name, loc="left", fontsize=9)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.set_yticks([])
    panel.margins(y=0.15)
    panel.tick_params(axis="x", labelsize=8)
figure.suptitle("Three plans (bars) in three measures; the blue one minimises it", x=0.02, ha="left", fontsize=10)
figure.tight_layout()
picture(figure, "measures")

# %% [markdown]
# ## Why this account?
#
# The costliest move that nobody was forced to make, and the book it leaves:

# %%
move = full.moves.sort_values("forced", kind="stable").iloc[0]
account = move["account_id"]
print(full.explain(account))

# %%
print(full.explain(am=move["from_am"] or move["to_am"]))

# %% [markdown]
# ## "Leave it where it is"
#
# The commonest answer of an account manager. One more search with the account fixed says what that costs, and whom it
# hits instead. The difference is exact where both plans are proven.

# %%
kept = keep(full, account, time_limit=SECONDS)
print(kept.text())
kept.changes

# %% [markdown]
# ## The book afterwards
#
# A plan that was carried out leaves nothing to do: proposing again moves nobody.

# %%
after = full.book_after()
again = rb.propose(after, time_limit=SECONDS)
print(again.summary())
assert again.status == "no_change"
rb.heatmap(after)[["am_id", "units", "capacity", "utilization", "band"]].head(8)

# %% [markdown]
# ## Real books
#
# The AdventureWorks resellers, if `REBALANCER_ADVENTUREWORKS` names the folder that holds `book_2018q4` and
# `book_2020q1`. One of the books there may be beyond all capacity: the plan is then marked, and the shortage named.

# %%
folder = os.environ.get("REBALANCER_ADVENTUREWORKS")
for name in ("book_2018q4", "book_2020q1") if folder else ():
    real = rb.propose(rb.load_book(Path(folder) / name), scope="repair", time_limit=SECONDS)
    print(f"{name}: {real.status}")
    print(real.summary())
    costliest = real.moves[~real.moves["forced"]]["account_id"]
    if len(costliest):
        print(keep(real, costliest.iat[0], time_limit=SECONDS).text())
    title = f"AdventureWorks {name.removeprefix('book_')}, repair: {real.status.replace('_', ' ')}"
    picture(utilization_picture(real, title), f"utilization_{name}")
    if len(real.moves):
        picture(flow_picture(real, f"AdventureWorks {name.removeprefix('book_')}: from, to"), f"flow_{name}")
if not folder:
    print("REBALANCER_ADVENTUREWORKS is not set: skipped.")

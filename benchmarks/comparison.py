"""The part of the page that sets rebalancer beside its peers, book by book."""

from __future__ import annotations

from typing import Any

from benchmarks.figures import OURS, SHARES, best_bound, gap_to_best, times
from benchmarks.peers import PEERS
from benchmarks.tables import dollars, percent, seconds, table, title, whole

NOT_LEGAL = "**no**"


def comparisons(found: list[dict[str, Any]]) -> list[str]:
    """Lines of the section, none where no case has peers."""
    compared = [record for record in found if len(record["methods"]) > 1]
    if not compared:
        return []
    about = [f"* **{peer.title}**: {peer.about}" for peer in PEERS.values()]
    lines = ["## Against peers", "", *about, ""]
    for record in compared:
        lines += _comparison(record)
    return lines


def _comparison(record: dict[str, Any]) -> list[str]:
    bound, sizes = best_bound(record), record["problem"]
    head = ("method", "legal", ">at risk", ">own bound", ">gap", *(f">to {100 * share:g} % s" for share in SHARES),
            ">moves", ">ARR moved", ">s", ">MB")  # fmt: skip
    limit = max(method["limit"] for method in record["methods"].values())
    size = f"{sizes['arcs']:,} arcs in {sizes['components']:,} components, " if sizes else ""
    told = f"{size}at most {limit:g} s each. No legal plan costs less than {dollars(bound)}."
    wrong = [f"**Contradiction**: {text}." for text in record["contradictions"]]
    rows = (_method(name, method, bound) for name, method in record["methods"].items())
    return [f"### {title(record)}", "", told, "", *wrong, *table(head, rows)]


def _method(name: str, method: dict[str, Any], bound: int | None) -> tuple[str, ...]:
    method_title = "**rebalancer**" if name == OURS else PEERS[name].title if name in PEERS else name
    spent = (seconds(method.get("seconds")), whole(method.get("peak_mb")))
    if not method.get("plan"):
        return (method_title, "no plan", "", dollars(method.get("bound")), *[""] * (len(SHARES) + 3), *spent)
    legal = "yes" if method["legal"] else NOT_LEGAL
    if not method["legal"] and "over_limit" in method:
        legal += f", {method['over_limit']} over"
    figures = (dollars(method["value"]), dollars(method.get("bound")), percent(gap_to_best(method, bound)))
    found = times(method, bound)
    return (method_title, legal, *figures, *(seconds(found[share]) for share in SHARES), whole(method["moves"]),
            dollars(method["arr_moved"]), *spent)  # fmt: skip

"""`models` and `doctor`: what comes with the library, and whether it works here."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from rebalancer.cli.calibrate import calibrate
from rebalancer.cli.options import json_option
from rebalancer.cli.output import console, emit_json, say, table


@click.group(short_help="List, show or calibrate coverage models.")
def models() -> None:
    """List the coverage models, show one with everything it inherits, or calibrate one to a book."""


models.add_command(calibrate)


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the coverage models that come with the library."""
    from rebalancer.coverage import load_model, model_names

    found = [load_model(name) for name in model_names()]
    if as_json:
        emit_json({"models": [{"name": m.name, "title": m.title, "about": m.about} for m in found]})
        return
    rows = [(m.name, m.title, m.about) for m in found]
    console().print(table("Coverage models", ["name", "title", "what it does"], rows))


@models.command("show")
@click.argument("model", metavar="MODEL")
@json_option
def show_model(model: str, as_json: bool) -> None:
    """Show MODEL (a name or a TOML file) with all its values, as TOML that can be saved and changed."""
    from rebalancer.coverage import load_model

    resolved = load_model(model)
    if as_json:
        emit_json({"model": resolved.model_dump(mode="json")})
    else:
        say(resolved.to_toml().rstrip())


@click.command(short_help="Check that everything works on this machine.")
@json_option
def doctor(as_json: bool) -> int:
    """Check that everything rebalancer needs works on this machine. Exits with 1 where something does not."""
    results = [(name, *_outcome(check)) for name, check in CHECKS]
    if as_json:
        emit_json({"checks": [{"name": name, "ok": ok, "detail": detail} for name, ok, detail in results]})
    else:
        for name, ok, detail in results:
            say(f"{'ok  ' if ok else 'FAIL'}  {name}: {detail}")
    return 0 if all(ok for _, ok, _ in results) else 1


def _outcome(check: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, check()
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"


def _python() -> str:
    return sys.version.split()[0]


def _packages() -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("ortools", "pandas", "numpy", "scipy", "pydantic"))


def _solver() -> str:
    from rebalancer.engine.sentinel import wrong_optima

    wrong = wrong_optima()
    if wrong:
        raise RuntimeError(f"the solver gives wrong optima: {wrong[0]}. Install another OR-tools release.")
    return "right optima on the model family of OR-tools issue 5293"


def _models() -> str:
    from rebalancer.coverage import load_model, model_names

    return ", ".join(load_model(name).name for name in model_names())


def _sample() -> str:
    from rebalancer.book import load_book
    from rebalancer.shipped import shipped

    return repr(load_book(shipped("data/sample")))


def _machine() -> str:
    import os

    return f"{os.cpu_count()} processor cores"


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("python", _python),
    ("packages", _packages),
    ("solver", _solver),
    ("coverage models", _models),
    ("sample book", _sample),
    ("machine", _machine),
)

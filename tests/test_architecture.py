"""What may import what, how fast the command line starts, and what every file of the repository must hold."""

import ast
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rebalancer
import rebalancer.api

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rebalancer"

LAYERS = (
    *("errors", "swap", "executors", "shipped", "quarters", "tables", "coverage", "reading", "book"),
    *("units", "disruption"),
    *("people", "refusals", "csms", "holds", "locks", "families", "global_accounts", "snapshot", "limits", "metrics"),
    "relief",
    *("links", "problem", "parts", "knapsack", "certificate", "certificate_file"),
    *("rules", "shortage", "reasons", "alternatives"),
    *("engine", "proposal", "rebuilt", "steady", "inputs", "record", "verify", "plan"),
    *("run_directory", "recheck", "surfaces", "explain", "crm", "review", "insight", "store"),
    *("nightly", "api", "cli"),
)
"""Each layer (a module, or a package of equals) imports only from those named before it, and from itself."""

AT_THE_TOP = ("rebalancer", "rebalancer.__main__")
"""The doors of the package: they hand on `api` and `cli`."""

MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PACKAGE.rglob("*.py"))
}
STARTS_IN_SECONDS = 1.5
"""A generous bound on what takes a tenth of a second, for a machine that does other things as well."""


def imports(file, *, lazy=False, typing=True):
    """Modules that a file imports at its top level; `lazy` adds those of functions, `typing` keeps type-only ones."""
    found = set()

    def visit(node):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not lazy:
            return
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not typing:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found.update(
                f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}" in MODULES
            )
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text(encoding="utf-8")))
    return found


def layer(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def users_of(package, **how):
    """Modules that import a package or a part of it."""
    return {
        name
        for name, file in MODULES.items()
        if any(used == package or used.startswith(f"{package}.") for used in imports(file, **how))
    }


def outcome_of(code, cwd):
    """What a fresh interpreter prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cwd)
    return json.loads(done.stdout.splitlines()[-1])


LOADED = "import json, sys; print(json.dumps([name for name in sys.modules]))"


# Direction


def test_every_module_has_its_place_in_the_order_of_layers():
    assert {layer(name) for name in MODULES if name not in AT_THE_TOP} == set(LAYERS)


@pytest.mark.parametrize("module", sorted(set(MODULES) - set(AT_THE_TOP)))
def test_a_module_imports_only_from_the_layers_before_its_own(module):
    place = LAYERS.index(layer(module))
    used = {name for name in imports(MODULES[module]) if name.split(".")[0] == "rebalancer"}
    upward = {name for name in used if name == "rebalancer" or LAYERS.index(layer(name)) > place}
    assert upward == set()


def test_no_layer_is_above_itself_through_a_circle_of_its_own_modules():
    done, open_ = set(), []

    def visit(module):
        assert module not in open_, f"circle: {' -> '.join([*open_, module])}"
        if module in done:
            return
        open_.append(module)
        for used in sorted(imports(MODULES[module], typing=False) & set(MODULES)):
            if not module.startswith(f"{used}.") and used != module:
                visit(used)
        open_.pop()
        done.add(module)

    for module in MODULES:
        visit(module)
    assert done == set(MODULES)


def test_no_import_is_relative():
    relative = {
        name
        for name, file in MODULES.items()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    }
    assert relative == set()


def test_the_solver_is_imported_only_in_the_engine():
    users = users_of("ortools", lazy=True)
    assert users
    assert {layer(name) for name in users} == {"engine"}


def test_the_engine_knows_nothing_of_the_domain():
    domain = {"tables", "coverage", "book", "units", "disruption", "snapshot", "limits", "metrics", "rules"}
    for name, file in MODULES.items():
        if layer(name) == "engine":
            assert {layer(used) for used in imports(file, lazy=True) if used.startswith("rebalancer")} & domain == set()


def test_verify_imports_neither_rules_nor_engine_nor_what_the_plan_was_made_with():
    made_with = {"rules", "engine", "problem", "units", "disruption", "snapshot", "limits", "metrics", "record"}
    for name, file in MODULES.items():
        if layer(name) == "verify":
            used = imports(file, lazy=True)
            assert {layer(part) for part in used if part.startswith("rebalancer")} & made_with == set()
            assert not any(part.split(".")[0] in ("numpy", "scipy", "ortools") for part in used), name


def test_verify_loads_neither_rules_nor_engine_nor_solver_through_others(tmp_path):
    loaded = outcome_of(f"import rebalancer.verify; {LOADED}", tmp_path)
    forbidden = {"rules", "engine", "problem", "units", "disruption", "snapshot", "limits", "metrics"}
    assert "rebalancer.verify.run" in loaded
    assert {layer(name) for name in loaded if name.startswith("rebalancer.")} & forbidden == set()
    assert not any(name.split(".")[0] == "ortools" for name in loaded)


# The command line starts fast


STARTED = ["", "propose", "verify", "explain", "models", "export", "import-decisions", "import-results"]


@pytest.mark.parametrize("command", [*STARTED, "proposals", "proposals submit", "status"])
def test_help_loads_neither_pandas_nor_the_solver(command, tmp_path):
    args = [*command.split(), "--help"]
    code = f"import atexit, contextlib, io, json, sys\nfrom rebalancer.cli import main\ntry:\n    main({args!r})\n"
    loaded = outcome_of(f"{code}except SystemExit as end:\n    assert end.code == 0\n{LOADED}", tmp_path)
    assert "rebalancer.cli" in loaded
    assert {"pandas", "numpy", "ortools", "scipy", "pydantic", "rich", "sqlalchemy", "alembic"} & set(loaded) == set()


@pytest.mark.parametrize("command", [[], ["propose"]])
def test_help_is_there_at_once(command, tmp_path):
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "rebalancer", *command, "--help"], capture_output=True, check=True, cwd=tmp_path
        )
        seconds.append(time.perf_counter() - started)
    assert statistics.median(seconds) < STARTS_IN_SECONDS


# The front door


def test_the_package_hands_on_exactly_the_names_of_its_api():
    assert set(rebalancer._NAMES) == set(rebalancer.api.__all__)
    assert [name for name in rebalancer.api.__all__ if not hasattr(rebalancer.api, name)] == []
    assert set(rebalancer.api.__all__) <= set(dir(rebalancer))


@pytest.mark.parametrize("name", rebalancer.api.__all__)
def test_every_name_of_the_api_is_reachable_from_the_package(name):
    assert getattr(rebalancer, name) is getattr(rebalancer.api, name)


def test_the_heatmap_stays_a_function_after_its_module_was_imported(tmp_path):
    code = "import json, rebalancer.insight.heatmap, rebalancer as rb; print(json.dumps(callable(rb.heatmap)))"
    assert outcome_of(code, tmp_path) is True


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'rebalancer' has no attribute 'rebalance'"):
        rebalancer.rebalance  # noqa: B018


# What every file holds


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_public_class_and_public_function_has_a_docstring(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    if module != "rebalancer.__main__":
        assert ast.get_docstring(tree), module
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")]
    public = [
        node
        for body in bodies
        for node in body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def tracked():
    """The text of every file that git tracks, by name."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    texts = {}
    for name in filter(None, listed.split("\0")):
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in data:
            texts[name] = data.decode("utf-8")
    return texts


PLACES = re.compile(
    r"/(?:home|Users|root|work|tmp)/[\w.-]+/|[A-Z]:\\\\|(?:index-url|index_url|registry\s*=\s*\S?http)|\b(?:artifactory|nexus)\b"
    r"|\bpypi\.[\w.-]+|files\.pythonhosted|\b(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2,3}\b",
    re.IGNORECASE,
)


def test_no_tracked_file_names_a_place_of_somebodys_machine_or_a_registry():
    texts = tracked()
    assert "pyproject.toml" in texts
    here = Path(__file__).relative_to(ROOT).as_posix()
    found = {name: match[0] for name, text in texts.items() if name != here and (match := PLACES.search(text))}
    assert found == {}


@pytest.mark.parametrize(
    "text", ["/work/main/x", "/home/ann/book", "--index-url https://x", "10.0.12.7", "pypi.corp.net"]
)
def test_places_of_machines_and_registries_are_recognised(text):
    assert PLACES.search(text)

"""The documentation: everything is in it, every command and example in it runs, and what it shows is what comes out."""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click
import pytest
from pydantic import BaseModel

import rebalancer as rb
from rebalancer import errors
from rebalancer.book import SETTINGS
from rebalancer.cli import COMMANDS, cli, main
from rebalancer.rules import RULES
from rebalancer.tables import TABLES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "models" / "README.md", ROOT / "data" / "README.md", *DOCS.rglob("*.md")])
DEFAULT = "coverage_units"
CODES = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 75, 130, 143}
"""The exit codes of the command line's contract."""

VARYING = ((re.compile(r"\b\d+\.\d s\b"), "N s"), (re.compile(r"\b[0-9a-f]{16}\b"), "RUN_ID"))
ANYTHING = "..."


def page_id(page):
    return page.relative_to(ROOT).as_posix()


def text_of(page):
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


def sections(text):
    """Heading (level and title) and body of every section, code blocks left out of the search for headings."""
    found = [[(0, ""), []]]
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = re.match(r"(#+) (.*)", line)
        if heading and not fenced:
            found.append([(len(heading[1]), heading[2]), []])
        else:
            found[-1][1].append(line)
    return [(heading, "\n".join(lines)) for heading, lines in found]


def section(text, title, level=None):
    """The body of the section whose title, without backticks, is `title`."""
    bodies = [
        body for (depth, heading), body in sections(text) if heading.strip("`") == title and level in (None, depth)
    ]
    assert len(bodies) == 1, f"{len(bodies)} sections named {title}"
    return bodies[0]


def table_rows(body):
    """The cells of every table row whose first cell starts with a backtick."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in body.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def names(body):
    """First cells of table rows, without backticks."""
    return [row[0].strip("`") for row in table_rows(body)]


def commands():
    """Every command by the words that call it."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        yield name, command
        if isinstance(command, click.Group):
            for sub, inner in command.commands.items():
                yield f"{name} {sub}", inner


@pytest.mark.parametrize(("words", "command"), list(commands()), ids=[words for words, _ in commands()])
def test_every_command_and_every_option_has_its_section(words, command):
    body = section(text_of("commands"), words)
    documented = {option for cell in names(body) for option in re.findall(r"--?[a-z][a-z-]*", cell)}
    declared = {name for option in command.params if isinstance(option, click.Option) for name in option.opts}
    assert documented == declared


def test_no_section_is_about_a_command_that_does_not_exist():
    titles = {title.strip("`") for (level, title), _ in sections(text_of("commands")) if level > 1}
    assert titles == {words for words, _ in commands()}


def test_the_readme_lists_every_command():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [name for name in COMMANDS if f"| `rebalancer {name}" not in readme]


def test_every_table_has_its_section():
    body = text_of("columns").split("## A run directory")[0]
    assert [title.strip("`") for (level, title), _ in sections(body) if title.startswith("`") and level == 3] == [
        *TABLES
    ]


def test_every_setting_of_a_book_is_described():
    assert names(section(text_of("columns"), "Settings in book.toml")) == list(SETTINGS)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_column_of_a_table_is_described_as_it_is_declared(table):
    rows = table_rows(section(text_of("columns"), table.name))
    described = {row[0].strip("`"): row for row in rows}
    assert list(described) == [column.name for column in table.columns]
    for column in table.columns:
        _, kind, required, allowed, meaning, used_by = described[column.name]
        assert (kind, required) == (column.kind, "yes" if column.required else ""), column.name
        assert tuple(re.findall(r"`(.*?)`", allowed)) == column.choices, column.name
        bounds = [f"{bound:,.10g}" for bound in (column.low, column.high) if bound is not None]
        assert re.findall(r"\d[\d,.]*", allowed) == bounds, column.name
        assert meaning, column.name
        assert used_by, column.name


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    """The run directory of a small book with CSMs, and its proposal."""
    import pandas as pd

    accounts = pd.DataFrame(
        {"account_id": ["A-1", "A-2"], "name": ["Acme", "Bolt"], "owner": ["M-1", ""], "arr": [1, 2], "csm": "C-1"}
    )
    ams = pd.DataFrame({"am_id": ["M-1"], "name": ["Ann"]})
    csms = pd.DataFrame({"csm_id": ["C-1"], "name": ["Cy"]})
    proposal = rb.propose(rb.Book.from_frames(accounts=accounts, ams=ams, csms=csms), time_limit=5)
    folder = tmp_path_factory.mktemp("runs") / "small"
    proposal.write(str(folder))
    return folder, proposal


@pytest.mark.parametrize("name", ["assignments.csv", "moves.csv", "books.csv", "csms.csv"])
def test_every_column_of_a_run_is_described(small_run, name):
    written = (small_run[0] / name).read_text(encoding="utf-8").splitlines()[0].split(",")
    described = names(section(text_of("columns"), name))
    if name == "moves.csv":
        described = names(section(text_of("columns"), "assignments.csv")) + described
    assert described == written


def test_every_key_and_every_file_of_a_run_is_described(small_run):
    folder, proposal = small_run
    assert names(section(text_of("columns"), "proposal.json")) == list(proposal.record)
    described = {name.rstrip("/") for name in names(section(text_of("columns"), "A run directory"))}
    only_after_decisions = {"decisions.csv"}
    assert described - only_after_decisions == {file.name for file in folder.iterdir()}


def model_keys(section_of_model=rb.CoverageModel, prefix=""):
    """The dotted keys of a coverage model; a table by tier is one key, a role is `<role>`."""
    for name, field in section_of_model.model_fields.items():
        parts = [part for part in (field.annotation, *get_args(field.annotation)) if isinstance(part, type)]
        inner = next((part for part in parts if issubclass(part, BaseModel)), None)
        if inner is None:
            yield prefix + name
        else:
            roles = "<role>." if name == "roles" else ""
            yield from model_keys(inner, f"{prefix}{name}.{roles}")


def values_of(model):
    """Every value of a shipped model by dotted key, as TOML gives it; roles by their names."""
    resolved = tomllib.loads(rb.load_model(model).to_toml())
    found = {}
    for key in model_keys():
        first, _, rest = key.partition("<role>.")
        if rest:
            found |= {f"roles.{role}.{rest}": part[rest] for role, part in resolved["roles"].items()}
            continue
        place = resolved
        for part in first.split("."):
            place = place[part]
        found[key] = place
    return found


def as_toml(cell):
    return tomllib.loads(f"value = {cell.strip('`')}")["value"]


def test_every_key_of_a_model_is_described():
    assert names(section(text_of("models"), "Every key")) == list(model_keys())


def test_the_described_defaults_are_those_of_the_default_model():
    values = values_of(DEFAULT)
    for key, _unit, default, *_ in table_rows(section(text_of("models"), "Every key")):
        key = key.strip("`")
        if "<role>" not in key:
            assert as_toml(default) == values[key], key
        else:
            assert as_toml(default) == values[key.replace("<role>", "regular")], key


@pytest.mark.parametrize("model", [name for name in rb.model_names() if name != DEFAULT])
def test_what_a_model_changes_is_described(model):
    base, own = values_of(DEFAULT), values_of(model)
    changed = {key: value for key, value in own.items() if base[key] != value and "." in key}
    rows = table_rows(section(text_of("models"), model))
    assert {key.strip("`"): as_toml(value) for key, value in rows} == changed


def test_both_pages_on_models_name_every_model():
    for page in (DOCS / "models.md", ROOT / "models" / "README.md"):
        text = page.read_text(encoding="utf-8")
        assert not [name for name in rb.model_names() if f"| `{name}` |" not in text]


def test_every_exit_code_is_described():
    declared = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.RebalancerError)
    }
    described = [int(code) for code in re.findall(r"^\| (\d+) \|", text_of("exit-codes"), re.MULTILINE)]
    assert set(described) == CODES >= declared
    assert described == sorted(CODES)


RULE_NAMES = [rule.name for rule in RULES]
PARTS = ["The limit", "Example", "Set it", "In the proposal"]
WISHES = {"fairness", "balance"}


def test_the_index_of_rules_lists_every_rule_in_order_and_no_page_is_of_another():
    listed = re.findall(r"^\| \[`(\w+)`\]\(rules/(\w+)\.md\) \|", text_of("rules"), re.MULTILINE)
    assert listed == [(name, name) for name in RULE_NAMES]
    assert {page.stem for page in (DOCS / "rules").iterdir()} == set(RULE_NAMES)


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_the_page_of_a_rule_has_every_part(rule):
    (_, (title, story), *parts) = sections(text_of(f"rules/{rule}"))
    assert title == (1, f"`{rule}`")
    assert len(story.split()) >= 20, "the story says why a planner wants the rule"
    limit = "The wish" if rule in WISHES else "The limit"
    assert [heading for heading, _ in parts] == [(2, limit), *((2, part) for part in PARTS[1:])]
    bodies = dict(zip(PARTS, (body for _, body in parts), strict=True))
    words, formulas, _ = re.split(r"```(?:text)?\n(.*?)```", bodies["The limit"], maxsplit=1, flags=re.DOTALL)
    assert len(words.split()) >= 12
    assert formulas.strip()
    assert {"console", "python"} & {kind for kind, _ in BLOCK.findall(bodies["Example"] + "\n")}
    assert re.search(r"\d", bodies["Example"])
    assert len(bodies["In the proposal"].split()) >= 12


@pytest.mark.parametrize("rule", RULE_NAMES)
def test_the_page_of_a_rule_names_keys_and_columns_that_are_there(rule):
    named = names(section(text_of(f"rules/{rule}"), "Set it"))
    columns = {f"{table.name}.{column.name}" for table in TABLES.values() for column in table.columns}
    assert named
    assert set(named) <= columns | set(model_keys())


def test_every_key_that_sets_a_rule_is_on_the_page_of_one():
    named = {key for rule in RULE_NAMES for key in names(section(text_of(f"rules/{rule}"), "Set it"))}
    sections_of_rules = {"roles", "pods", "csm", "locks", "families", "pools", "budgets", "fatigue", "headcount"}
    sections_of_rules |= {"fairness", "balance", "books", "units"}
    keys = {key for key in model_keys() if key.partition(".")[0] in sections_of_rules}
    assert keys <= named


def anchor(title):
    """The anchor that a heading gets on the usual hosts."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page_id(page)}: {target}"
        if heading:
            there = {anchor(title) for (_, title), _ in sections(file.read_text(encoding="utf-8"))}
            assert heading in there, f"{page_id(page)}: {target}"


@dataclass
class Call:
    """A command shown on a page, the exit code it is said to have, and the output shown under it."""

    command: str
    code: int
    shown: list[str]


def calls(block):
    """The commands of a console block; `# exit 4` behind one states its code."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            command, _, code = line[2:].partition("  # exit ")
            found.append(Call(command.strip(), int(code or 0), []))
        else:
            assert found, f"output before any command: {line}"
            found[-1].shown.append(line)
    return found


def normalised(line):
    line = line.rstrip()
    for pattern, word in VARYING:
        line = pattern.sub(word, line)
    return line


def first_missing(shown, real):
    """The first shown line that does not follow in the real output; `...` stands for anything, also for lines."""
    lines = iter([normalised(line) for line in real.splitlines()])
    for line in shown:
        wanted = normalised(line)
        if not wanted.strip() or wanted.strip() == ANYTHING:
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.split(ANYTHING)))
        if not any(pattern.fullmatch(candidate) for candidate in lines):
            return line
    return None


def assigned(words):
    """The variables that stand before a command, and the command: `NAME=VALUE rebalancer ...`."""
    count = next(place for place, word in enumerate(words) if not re.match(r"[A-Z_]+=", word))
    return dict(word.split("=", 1) for word in words[:count]), words[count:]


def as_a_program(words, folder, variables):
    """Exit code and output of a command, called as people call it."""
    done = subprocess.run(
        [sys.executable, "-m", "rebalancer", *words],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT), "COLUMNS": "160", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
    )
    return done.returncode, done.stdout


def in_this_process(words, folder, variables):
    """The same without starting a program: a second less for each of many commands."""
    shown = io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(shown),
        contextlib.redirect_stderr(shown),
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in {"COLUMNS": "160", **variables}.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main(words)
    return ended.value.code, shown.getvalue()


class Workspace:
    """A directory with the sample book, and runs that are there already, in which the examples of one page run."""

    def __init__(self, folder, runs=None, call=as_a_program):
        self.folder, self.call = folder, call
        shutil.copytree(ROOT / "data" / "sample", folder / "data" / "sample")
        if runs is not None:
            shutil.copytree(runs, folder / "runs")
        self.names = {"__name__": "docs"}

    def console(self, block):
        for call in calls(block):
            variables, words = assigned(shlex.split(call.command))
            assert words[0] == "rebalancer", f"not a command of ours: {call.command}"
            code, real = self.call(words[1:], self.folder, variables)
            assert code == call.code, f"$ {call.command}\n{real}"
            missing = first_missing(call.shown, real)
            assert missing is None, f"$ {call.command}\nshown, but not there: {missing}\n{real}"

    def python(self, block):
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(io.StringIO()):
            exec(compile(block, "example", "exec"), self.names)

    def toml(self, block):
        name = re.match(r"# (\S+\.toml)\n", block)
        assert name, "a TOML example names its file in its first line"
        (self.folder / name[1]).write_text(block, encoding="utf-8")
        tomllib.loads(block)


BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUNNABLE = {"console", "python", "toml"}
WITH_EXAMPLES = [page for page in PAGES if RUNNABLE & {kind for kind, _ in BLOCK.findall(page.read_text("utf-8"))}]


@pytest.fixture(scope="module")
def tutorial_run(tmp_path_factory):
    """The folder of runs in which `q4` is the tutorial's, for the pages of the rules."""
    workspace = Workspace(tmp_path_factory.mktemp("tutorial"))
    workspace.console("$ rebalancer propose data/sample --reproducible --out runs/q4")
    return workspace.folder / "runs"


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=page_id)
def test_the_examples_of_a_page_run_and_show_what_comes_out(page, tmp_path, request):
    of_a_rule = page.parent.name == "rules"
    there = (request.getfixturevalue("tutorial_run"), in_this_process) if of_a_rule else ()
    workspace = Workspace(tmp_path, *there)
    for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind in RUNNABLE:
            getattr(workspace, kind)(block)


def test_pages_with_examples_are_found():
    assert {"README.md", "docs/tutorial.md", "docs/models.md"} <= {page_id(page) for page in WITH_EXAMPLES}


def test_a_shown_line_that_does_not_come_out_is_noticed():
    real = "one\ntwo 3.1 s\nthree\n"
    assert first_missing(["one", "two 9.9 s  ", "th...e"], real) is None
    assert first_missing(["...", "three"], real) is None
    assert first_missing(["three", "one"], real) == "one"
    assert first_missing(["tw"], real) == "tw"

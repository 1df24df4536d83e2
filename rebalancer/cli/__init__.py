"""The command line: parse, call, print. `main` is the console script."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from rebalancer.cli.output import fail

COMMANDS = {
    "demo": "rebalancer.cli.demo",
    "init": "rebalancer.cli.init",
    "check": "rebalancer.cli.books",
    "heatmap": "rebalancer.cli.heatmap",
    "triggers": "rebalancer.cli.triggers",
    "audit": "rebalancer.cli.audit",
    "scorecard": "rebalancer.cli.scorecard",
    "touch-model": "rebalancer.cli.touch",
    "size": "rebalancer.cli.size",
    "propose": "rebalancer.cli.propose",
    "holds": "rebalancer.cli.holds",
    "programme": "rebalancer.cli.programme",
    "verify": "rebalancer.cli.runs",
    "explain": "rebalancer.cli.runs",
    "compare": "rebalancer.cli.runs",
    "export": "rebalancer.cli.export",
    "import-decisions": "rebalancer.cli.decisions",
    "import-results": "rebalancer.cli.imports",
    "proposals": "rebalancer.cli.proposals",
    "nightly": "rebalancer.cli.nightly",
    "status": "rebalancer.cli.status",
    "models": "rebalancer.cli.tools",
    "doctor": "rebalancer.cli.tools",
    "bench": "rebalancer.cli.bench",
}


class LazyGroup(click.Group):
    """Loads a command's module when the command is called, so that `--help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands in the order a planner meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, None for an unknown one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest command named where there is none."""
        from rebalancer.errors import did_you_mean

        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = did_you_mean(args[0], COMMANDS)
            ctx.fail(f'No such command "{args[0]}". {near}'.strip())
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="rebalancer", prog_name="rebalancer")
def cli() -> None:
    """Rebalance account books: the least disruptive legal reassignment, and how close to least it is.

    Start with `rebalancer demo`. Results go to stdout, progress to stderr; --json prints machine-readable results.
    Exit codes: 0 ok, 2 usage, 3 invalid input, 4 no legal plan, 5 no plan in the time, 7 internal check failed,
    130 interrupted; all of them in docs/exit-codes.md.
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with the code of the contract."""
    given = sys.argv[1:] if args is None else args
    as_json = "--json" in given
    try:
        code: Any = cli.main(args=given, prog_name="rebalancer", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        if not as_json:
            error.show()
        sys.exit(fail(error, as_json, error.exit_code))
    except click.exceptions.Abort:
        sys.exit(fail(KeyboardInterrupt("interrupted."), as_json, 130))
    except KeyboardInterrupt:
        sys.exit(fail(KeyboardInterrupt("interrupted."), as_json, 130))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("REBALANCER_DEBUG"):
            raise
        sys.exit(fail(error, as_json, getattr(error, "exit_code", 1)))

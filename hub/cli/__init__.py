"""The door for people at a terminal. Commands are loaded when called, so that ``hub`` starts fast.

Exit codes: 0 done; 1 refused or wrong input (the errors say what and where); 2 wrong usage; 3 the hub's set-up is wrong
or something it needs is not there. ``--json`` prints one JSON document on standard output; messages for people go to
standard error.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from hub import __version__
from hub.errors import HubError

_COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("hub.cli.init", "init", "Make a home: keys, a first API key per role, a small registry."),
    "up": ("hub.cli.up", "up", "Run everything in this process: doors, worker, sweeper."),
    "api": ("hub.cli.production", "api", "Run the HTTP doors (production)."),
    "worker": ("hub.cli.production", "worker", "Run a worker on the broker (production)."),
    "beat": ("hub.cli.production", "beat", "Run a sweeper (production)."),
    "broker": ("hub.cli.production", "broker_group", "Prepare RabbitMQ."),
    "keys": ("hub.cli.keys", "keys_group", "API keys of front ends, authorities and people."),
    "registry": ("hub.cli.registry", "registry_group", "Check, show, compare, change and import the registry."),
    "route": ("hub.cli.route", "route_group", "Ask the router who answers, and why."),
    "law": ("hub.cli.law", "law_group", "Terms of the law: show, check, count."),
    "channel": ("hub.cli.channel", "channel_group", "Preview, probe and test a channel."),
    "find": ("hub.cli.find", "find", "Find cases by a number, an id, or the applicant."),
    "trace": ("hub.cli.trace", "trace", "Tell what happened to a case or a message."),
    "evidence": ("hub.cli.evidence", "evidence_group", "Export and verify the evidence of a case."),
    "lanes": ("hub.cli.lanes", "lanes", "Show, pause and resume lanes."),
    "inbound": ("hub.cli.inbound", "inbound_group", "What came in: list, show, attach, decide, dismiss."),
    "audit": ("hub.cli.audit", "audit", "What people did and saw."),
    "dead": ("hub.cli.dead", "dead_group", "Dead letters: list, show, replay."),
    "report": ("hub.cli.report", "report_command", "Who keeps terms, who sends on, what rose: reports."),
    "alarms": ("hub.cli.alarms", "alarms_group", "What a person must look at; check the file, send a test."),
    "expiry": ("hub.cli.alarms", "expiry", "What ends: certificates, keys, lists, secrets."),
    "seal": ("hub.cli.seal", "seal", "Seal an envelope with a key file."),
    "verify": ("hub.cli.seal", "verify", "Verify a sealed envelope with a key of the registry."),
    "schemas": ("hub.cli.schemas", "schemas_group", "The published JSON Schema and XSD."),
    "simulate": ("hub.cli.simulate", "simulate", "Run simulated authorities over real HTTP."),
    "demo": ("hub.demo.play", "demo", "The whole way in under a minute, on loopback."),
    "doctor": ("hub.cli.doctor", "doctor", "Look whether this hub is fit to run."),
}


class LazyGroup(click.Group):
    """Lists every command from the table and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's own words, so that `hub --help` imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry[2]) for name, entry in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hub")
def cli() -> None:
    """Carries citizens' appeals from the contact centre into the systems that authorities have, and answers back."""


def _say(error: HubError) -> None:
    """Print what a person is told; the words are loaded only now, so that ``hub`` starts fast."""
    for line in import_module("hub.cli.mistaken").lines(error):
        click.echo(line, err=True)


def main() -> None:
    """Entry point of the ``hub`` command."""
    try:
        code = cli.main(standalone_mode=False)
        if isinstance(code, int):
            sys.exit(code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except HubError as error:
        _say(error)
        sys.exit(import_module("hub.cli.mistaken").exit_code(error))

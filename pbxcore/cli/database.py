"""`pbxcore database`: the schema."""

import asyncio

import typer

from pbxcore import database as postgresql
from pbxcore.cli.app import Exit, app, fail, out
from pbxcore.machine.running import settings_of_running

database = typer.Typer(help="Look after the database's schema.", no_args_is_help=True)
app.add_typer(database, name="database", rich_help_panel="Running")


def no_database(away: BaseException) -> typer.Exit:
    """Say that the database does not answer; raise what this returns."""
    return fail(
        f"the database does not answer ({postgresql.why_away(away)})",
        "start the machine with `make run`, or name the database: PBXCORE_DATABASE=postgresql://…",
        Exit.UNAVAILABLE,
    )


@database.command()
def migrate() -> None:
    """Bring the schema to this version. Forward only; safe to run again, and while the service runs.

    `pbxcore run` does this by itself. With a database of your own, run it once before the service starts.
    """
    try:
        asyncio.run(postgresql.migrate(postgresql.url_of(settings_of_running())))
    except postgresql.AWAY as away:
        raise no_database(away) from away
    except postgresql.NewerSchemaError as newer:
        raise fail(str(newer), newer.remedy, Exit.UNAVAILABLE) from newer
    out.print("[green]✓[/] the schema is that of this version")

"""A wrong command line is told like every other mistake: what is wrong, and what may stand there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from pbxcore.cli.app import Exit, fail, main

CLI = Path(__file__).parents[3] / "pbxcore/cli"


def said(
    arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Run a command as a user does; give its exit code and what it complains of."""
    monkeypatch.setattr("sys.argv", ["pbxcore", *arguments.split()])
    monkeypatch.setattr("__main__.__package__", None, raising=False)  # of `python -m pytest` it is pytest's
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "wrong", "remedy"),
    [
        ("credit acme subtract", "deed: 'subtract' is not one of 'show', 'add'", "show, or add an amount"),
        ("flow acme -l fr", "'fr' is not one of 'de', 'en', 'it', 'nl'", "de, en, it or nl"),
        ("rollback acme --to x", "--to: it should be a valid integer", "`pbxcore history NAME` lists them"),
        ("statuss", "Did you mean 'status'?", "see `pbxcore --help`"),
        ("decide --foo", "No such option: --foo", "see `pbxcore decide --help`"),
        ("export", "Missing argument 'name'", "Its id: acme"),
    ],
)
def test_a_wrong_command_line_has_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    wrong: str,
    remedy: str,
) -> None:
    """Exit code 2, one line what is wrong, one line what may stand there."""
    code, told = said(arguments, monkeypatch, capsys)
    first, second = told.splitlines()
    assert code == 2
    assert first.startswith("✗ ")
    assert wrong in first
    assert second.startswith("  → ")
    assert remedy in second


@pytest.mark.parametrize(("arguments", "code"), [("", 2), ("--help", 0), ("destinations lookup +43664", 0)])
def test_what_is_no_mistake_is_told_as_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, code: int
) -> None:
    """Help is help, with the exit code that scripts know."""
    assert said(arguments, monkeypatch, capsys) == (code, "")


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        ("numbers [bold]", "no tenant [bold] is in force"),
        ("check --at [red] x", "'[red]' is no instant"),
        ("check [acme].yaml", "[acme].yaml"),
        ("contract show ./[acme].yaml", "[acme].yaml"),
        ("quote [/acme].yaml --add [x]", "'[x]' says not how many"),
    ],
)
def test_what_was_typed_is_quoted_letter_by_letter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, quoted: str
) -> None:
    """Nothing that stands in [brackets] is taken for markup, and nothing gets a backslash."""
    monkeypatch.setattr("sys.argv", ["pbxcore", *arguments.split()])
    monkeypatch.setattr("__main__.__package__", None, raising=False)  # of `python -m pytest` it is pytest's
    with pytest.raises(SystemExit):
        main()
    told = "".join(capsys.readouterr())
    assert quoted in told
    assert max(map(len, told.splitlines())) < 1_000  # no line is filled up to the width of a pipe


def test_a_database_of_another_version_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever has a new program and an old machine that runs reads what to do, and no traceback."""

    def old(_question: object) -> None:
        raise asyncpg.UndefinedColumnError('column "removed" does not exist')

    monkeypatch.setattr("pbxcore.cli.status.ask", old)
    code, told = said("tenants", monkeypatch, capsys)
    assert (code, told.splitlines()[0]) == (
        3,
        '✗ the database is not that of this version of pbxcore: column "removed" does not exist',
    )
    assert "start it again" in told


@pytest.mark.parametrize("fragment", ["[bold]", "[/]", r"C:\[x]", "[1, 2]"])
def test_an_error_keeps_its_brackets(capsys: pytest.CaptureFixture[str], fragment: str) -> None:
    """Message and remedy are text, whatever stands in them."""
    fail(f"it is {fragment}", f"write {fragment} there", Exit.NO)
    assert capsys.readouterr().err == f"✗ it is {fragment}\n  → write {fragment} there\n"


def test_an_unknown_number_is_listed_letter_by_letter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stands in a table is text, too."""
    monkeypatch.setattr("sys.argv", ["pbxcore", "destinations", "lookup", "[/dim]"])
    with pytest.raises(SystemExit):
        main()
    assert "[/dim]" in capsys.readouterr().out


def calls_of(name: str, tree: ast.AST) -> Iterator[ast.Call]:
    """Find the calls of a function by its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


@pytest.mark.parametrize("module", sorted(CLI.glob("*.py")), ids=lambda path: path.stem)
def test_nobody_escapes_what_fail_prints_letter_by_letter(module: Path) -> None:
    """It is no markup, and a backslash before a bracket would be read."""
    told = list(calls_of("fail", ast.parse(module.read_text("utf-8"))))
    assert [call.lineno for one in told for call in calls_of("escape", one)] == []

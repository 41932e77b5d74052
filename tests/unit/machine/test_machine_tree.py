"""A tree of Debian packages: how its programs start, and when it counts as whole."""

import fcntl
import json
from pathlib import Path

import pytest

from pbxcore.machine import debian
from pbxcore.machine.errors import TreeError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The bones of a tree."""
    root = tmp_path / "root"
    for file in (
        "usr/lib64/ld-linux-x86-64.so.2",
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        "usr/sbin/asterisk",
        "usr/bin/sipp",
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def test_a_program_that_is_not_there_is_named(tree: Path) -> None:
    """The remedy says which folder to remove."""
    with pytest.raises(TreeError, match="baresip") as refused:
        debian.command(tree, "baresip")
    assert str(tree) in refused.value.remedy


def test_an_empty_folder_is_no_tree(tmp_path: Path) -> None:
    """Nothing starts from a tree without loader."""
    with pytest.raises(TreeError):
        debian.command(tmp_path, "asterisk")


@pytest.mark.parametrize(("program", "folder"), [("asterisk", "usr/sbin"), ("sipp", "usr/bin")])
def test_a_program_starts_through_the_trees_own_loader(tree: Path, program: str, folder: str) -> None:
    """The loader, its libraries, the program, then the arguments; all absolute."""
    assert debian.command(tree, program, "-V") == (
        f"{tree}/usr/lib64/ld-linux-x86-64.so.2",
        "--library-path",
        f"{tree}/usr/lib/x86_64-linux-gnu",
        f"{tree}/{folder}/{program}",
        "-V",
    )


def test_a_tree_is_whole_when_its_list_says_so(tree: Path) -> None:
    """Without the list (an interrupted making), or without a package wanted since, it is made again."""
    assert not debian.is_whole(tree)
    versions = dict.fromkeys(debian.PACKAGES, "1:22.1-1")
    (tree / debian.MANIFEST).write_text(json.dumps({"versions": versions}))
    assert debian.is_whole(tree)
    assert not debian.is_whole(tree, (*debian.PACKAGES, "espeak-ng"))
    assert debian.versions(tree)["asterisk"] == "1:22.1-1"
    assert not debian.ensure(tree)


def test_two_do_not_make_one_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits, says so, and gives up after its limit."""
    monkeypatch.setattr(debian, "LOCK_LIMIT_S", 0.1)
    said: list[str] = []
    with (tmp_path / "root.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TreeError, match="holds"):
            debian.ensure(tmp_path / "root", progress=lambda what, _: said.append(what))
    assert "Waiting" in said[0]


def test_a_refused_mirror_names_what_apt_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mirror that does not have it ends with apt's own words, and leaves no tree."""
    empty = tmp_path / "mirror"
    empty.mkdir()
    monkeypatch.setenv("PBXCORE_DEBIAN_MIRROR", f"[trusted=yes] file:{empty}")
    with pytest.raises(TreeError) as refused:
        debian.ensure(tmp_path / "root")
    assert "package lists" in refused.value.message
    assert not (tmp_path / "root").exists()

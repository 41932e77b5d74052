"""Documents people write: read, checked, and everything that is wrong with them said at once, line by line.

Owns the kinds of documents and the way from a mistake to its line. Refuses to put anything in force (the door
does) and to know what is right (the specs and checks of `dialplan` and `rating` do).

A document with mistakes of form is still checked for all others: what is malformed is left out and the rest
examined, so that nobody has to repair a file five times to see its fifth mistake.
"""

import importlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path as File
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel

from dialplan.checks import check_tenant
from dialplan.compile import check_together
from dialplan.finding import Finding, Path
from dialplan.spec import TenantSpec
from pbxcore import speech
from pbxcore.attached import attach, place
from pbxcore.form import as_written, validate
from pbxcore.gaps import knowable
from pbxcore.payers import unknown_payers
from pbxcore.sounds import of_tenant
from pbxcore.twice import keys_twice, without
from pbxcore.yamltree import MAX_BYTES, Tree, read_trees
from rating.account import AccountSpec

# The kinds of documents, told by the key that names them. A kind is added by naming its spec here.
SPECS: Mapping[str, str] = {
    "tenant": "dialplan.spec:TenantSpec",
    "contract": "rating.contract.document:ContractSpec",  # names account and catalogue: told before these
    "account": "rating.account:AccountSpec",
    "catalogue": "rating.catalogue:CatalogueSpec",
}
SOME_TRUNK = ("carrier",)  # stands for the machine's trunks where nobody said which they are


class Mistake(Protocol):
    """What the findings of `dialplan` and `rating` share."""

    @property
    def path(self) -> Path:
        """Keys and indices from the root of the document."""

    @property
    def code(self) -> str:
        """Stable name of the kind of mistake."""

    @property
    def message(self) -> str:
        """What is wrong."""

    @property
    def remedy(self) -> str:
        """What to do about it."""


@dataclass(frozen=True, slots=True)
class Located:
    """A finding and where it stands; the first line of a file is 1."""

    file: str
    line: int
    finding: Mistake

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.finding.message} [{self.finding.code}]"


@dataclass(frozen=True, slots=True)
class Read:
    """A document, as far as its form is right.

    Attributes:
        file: where it stands.
        kind: key of `SPECS`.
        id: its name, `acme`.
        spec: what it says.
        tree: its values and their lines.
        gaps: parts that had to be left out of `spec`; none in a document without mistakes.
    """

    file: str
    kind: str
    id: str
    spec: BaseModel
    tree: Tree
    gaps: frozenset[Path] = frozenset()

    @property
    def text(self) -> str:
        """The document as it was written."""
        return self.tree.text


class Examined(NamedTuple):
    """What became of documents.

    Attributes:
        right: those with which nothing is wrong.
        marred: those of files with mistakes, as far as their form is right.
        findings: everything that is wrong, by file and line.
        complete: no document is missing from both.
    """

    right: tuple[Read, ...]
    marred: tuple[Read, ...]
    findings: tuple[Located, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class _Draft:
    """A document under examination: its spec as far as its form is right, and its mistakes of form."""

    file: str
    kind: str
    id: str
    tree: Tree
    spec: BaseModel | None
    left_out: frozenset[Path]
    mistakes: tuple[Finding, ...]

    def locate(self, finding: Finding) -> Located:
        """Give a finding about the spec its line."""
        return self.locate_form(replace(finding, path=as_written(finding.path, self.left_out)))

    def locate_form(self, finding: Finding) -> Located:
        """Give a finding about the form, whose path is that of the whole document, its line."""
        return Located(*place(self.file, self.tree, finding.path), finding)


def read(
    paths: Iterable[File],
    *,
    trunks: tuple[str, ...] = SOME_TRUNK,
    sounds: File | None = None,
    at: datetime | None = None,
    unstarted: Collection[str] = (),
) -> tuple[tuple[Read, ...], tuple[Located, ...]]:
    """Read files and check every document in them, alone and together.

    Args:
        paths: YAML files, or folders that are searched for `*.yaml` at any depth; what is found there and is
            no document of ours, nor seems meant as one, is passed over. A file may hold several documents,
            divided by `---`.
        trunks: names of the machine's trunks; without any a tenant's emergency calls cannot leave.
        sounds: folder of the tenants' sounds; without it nobody looks whether they are there.
        at: when they shall be in force; without it nobody asks what tenants are entitled to.
        unstarted: trunks of the settings that the running machine does not know yet.

    Returns:
        The documents with which nothing is wrong, and everything that is wrong, by file and line.
    """
    found = examine(paths, trunks=trunks, sounds=sounds, at=at, unstarted=unstarted)
    return found.right, found.findings


def examine(
    paths: Iterable[File],
    *,
    trunks: tuple[str, ...] = SOME_TRUNK,
    sounds: File | None = None,
    at: datetime | None = None,
    unstarted: Collection[str] = (),
) -> Examined:
    """Read files as `read` does; give documents with mistakes, too, as far as they go."""
    texts, unread, named = [], [], set[str]()
    for file, by_name in _files(paths):
        text = _text(file)
        if isinstance(text, str):
            texts.append((str(file), text))
        else:
            unread.append(text)
        named |= {str(file)} if by_name else set()
    found = examine_texts(texts, trunks=trunks, sounds=sounds, at=at, unstarted=unstarted)
    told = (one for one in found.findings if one.finding.code != "other-document" or one.file in named)
    return found._replace(findings=in_order([*unread, *told]), complete=found.complete and not unread)


def read_texts(
    texts: Iterable[tuple[str, str]],
    *,
    trunks: tuple[str, ...] = SOME_TRUNK,
    sounds: File | None = None,
    at: datetime | None = None,
    unstarted: Collection[str] = (),
) -> tuple[tuple[Read, ...], tuple[Located, ...]]:
    """Check documents given as (name of the file, text), as `read` does."""
    found = examine_texts(texts, trunks=trunks, sounds=sounds, at=at, unstarted=unstarted)
    return found.right, found.findings


def examine_texts(
    texts: Iterable[tuple[str, str]],
    *,
    trunks: tuple[str, ...],
    sounds: File | None,
    at: datetime | None,
    unstarted: Collection[str],
) -> Examined:
    """Check documents given as (name of the file, text), as `examine` does."""
    drafts: list[_Draft] = []
    findings: list[Located] = []
    for file, text in texts:
        trees, broken = read_trees(text)
        findings += [Located(file, line, finding) for line, finding in broken]
        for tree in trees:
            draft = _draft(file, tree)
            (drafts if isinstance(draft, _Draft) else findings).append(draft)  # type: ignore[arg-type]  # each list takes its own
    complete = all(one.finding.code == "other-document" for one in findings) and all(
        draft.spec is not None for draft in drafts
    )
    findings += [draft.locate_form(mistake) for draft in drafts for mistake in draft.mistakes]
    for draft in drafts:
        found = _check(draft, trunks=trunks, sounds=sounds, at=at, unstarted=unstarted)
        findings += map(draft.locate, found)
    findings += _named_twice(drafts)
    findings += _check_together(drafts)
    broken_files = {located.file for located in findings}
    as_read = [(draft.file in broken_files, one) for draft in drafts if (one := _read_of(draft))]
    return Examined(
        right=tuple(one for broken, one in as_read if not broken),
        marred=tuple(one for broken, one in as_read if broken),
        findings=in_order(findings),
        complete=complete,
    )


def locate(document: Read, findings: Iterable[Mistake]) -> tuple[Located, ...]:
    """Give findings about a document their lines; those that may come of its gaps are none."""
    at = ((as_written(one.path, document.gaps), one) for one in findings)
    return tuple(
        Located(*place(document.file, document.tree, path), one)
        for path, one in at
        if knowable(path, one.code, document.gaps)
    )


def _draft(file: str, tree: Tree) -> _Draft | Located:
    """Tell a document's kind and validate its form."""
    values: Mapping[str, Any] = tree.value if isinstance(tree.value, dict) else {}
    kind = next((kind for kind in SPECS if kind in values), "")
    if not kind:
        finding = _no_kind(values)
        return Located(file, tree.line(finding.path), finding)
    tree, missing = attach(file, tree) if kind == "catalogue" else (tree, ())
    model = _spec(kind)
    twice = keys_twice(model, tree.value)
    later = frozenset(one.path for one in twice)
    spec, left_out, mistakes = validate(model, without(tree.value, later))
    doubled = (one.finding(tree.line(one.first)) for one in twice)
    gaps = left_out | later | tree.twice
    return _Draft(file, kind, str(values[kind]), tree, spec, gaps, (*doubled, *mistakes, *missing))


def _spec(kind: str) -> type[BaseModel]:
    module, _, name = SPECS[kind].partition(":")
    spec: type[BaseModel] = getattr(importlib.import_module(module), name)
    return spec


def _check(
    draft: _Draft,
    *,
    trunks: tuple[str, ...],
    sounds: File | None,
    at: datetime | None,
    unstarted: Collection[str],
) -> Iterator[Finding]:
    """Give what only several values of one document can get wrong."""
    if isinstance(draft.spec, TenantSpec):
        present = of_tenant(sounds, draft.spec.tenant) if sounds else None
        spoken = [name for name, one in draft.spec.announcements.items() if one.spoken]
        voices: frozenset[str] | None = None
        if sounds and spoken:
            try:
                voices = speech.languages(sounds.parent)
            except speech.SpeechError as failed:
                yield from (_voiceless(name, failed) for name in spoken)
        yield from check_tenant(
            draft.spec,
            trunks=trunks,
            left_out=draft.left_out,
            present=present,
            voices=voices,
            at=at,
            unstarted=unstarted,
        )


def _voiceless(name: str, failed: speech.SpeechError) -> Finding:
    return Finding(
        path=("announcements", name, "spoken"),
        code="no-voice",
        message=f"what speaks texts here is broken: {failed}",
        remedy="look at the engine (`pbxcore sounds engine`), or bring a recording (`recorded:`)",
    )


def _check_together(drafts: Sequence[_Draft]) -> Iterator[Located]:
    """Give what only several documents together can get wrong."""
    first = {draft.id: draft for draft in reversed(drafts) if isinstance(draft.spec, TenantSpec)}
    specs = {name: draft.spec for name, draft in first.items() if isinstance(draft.spec, TenantSpec)}
    for name, findings in check_together(specs).items():
        yield from (first[name].locate(finding) for finding in findings)
    whole = {name: spec for name, spec in specs.items() if not first[name].left_out}
    for draft in drafts:
        if isinstance(draft.spec, AccountSpec):
            yield from map(draft.locate, unknown_payers(draft.spec, whole))


def _named_twice(drafts: Sequence[_Draft]) -> Iterator[Located]:
    """Give tenants and accounts that stand in two documents. Catalogues have dated versions."""
    first: dict[tuple[str, str], _Draft] = {}
    for draft in drafts:
        other = first.setdefault((draft.kind, draft.id), draft)
        if other is not draft and draft.kind != "catalogue":
            yield draft.locate_form(
                Finding(
                    path=(draft.kind,),
                    code="document-twice",
                    message=f"{draft.kind} {draft.id} stands in {other.file}:{other.tree.line(())} already",
                    remedy="leave one of the two documents",
                )
            )


def _read_of(draft: _Draft) -> Read | None:
    if draft.spec is None:
        return None
    return Read(draft.file, draft.kind, draft.id, draft.spec, draft.tree, draft.left_out)


def _files(paths: Iterable[File]) -> Iterator[tuple[File, bool]]:
    """Give files, and whether somebody named them: those of folders come in the order of their names."""
    for path in paths:
        if path.is_dir():
            yield from ((file, False) for file in sorted(path.rglob("*.yaml")))
        else:
            yield path, True


def _text(file: File) -> str | Located:
    """Read a file, or say why it cannot be read."""
    try:
        with file.open("rb") as opened:
            return decoded(str(file), opened.read(MAX_BYTES + 1))
    except OSError as unreadable:
        return _unread(str(file), str(unreadable.strerror))


def decoded(file: str, raw: bytes) -> str | Located:
    """Give what a file says, or that it is no text."""
    try:
        return raw.decode()
    except UnicodeDecodeError as broken:
        line = raw.count(b"\n", 0, broken.start) + 1
        reason = f"the byte 0x{raw[broken.start]:02X} in this line is not UTF-8"
        return _unread(file, reason, "save the file as UTF-8", line)


def _unread(
    file: str, reason: str, remedy: str = "look at its name and its rights", line: int = 1
) -> Located:
    message = f"the file cannot be read: {reason}"
    return Located(file, line, Finding(path=(), code="no-file", message=message, remedy=remedy))


def _no_kind(values: Mapping[str, Any]) -> Finding:
    """Say that a document is none of ours, or with which slip of a key it was meant as one."""
    for key in values:
        for kind in get_close_matches(key, SPECS, n=1):
            message, remedy = f"{key!r} is no kind of document", f"did you mean `{kind}`?"
            return Finding(path=(key,), code="unknown-kind", message=message, remedy=remedy)
    return Finding(
        path=(),
        code="other-document",
        message="this is no document we know",
        remedy="name what it is in one of its first lines: " + ", ".join(f"`{kind}: …`" for kind in SPECS),
    )


def in_order(findings: Iterable[Located]) -> tuple[Located, ...]:
    """Sort findings by file and line, each once."""
    return tuple(
        sorted(
            dict.fromkeys(findings), key=lambda located: (located.file, located.line, located.finding.code)
        )
    )

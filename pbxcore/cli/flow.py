"""`pbxcore flow`: the call flow of a tenant on paper."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from dialplan.finding import closest
from dialplan.hours import local_time
from dialplan.spec import TenantSpec
from pbxcore import documents, published
from pbxcore.cli import findings, kinds
from pbxcore.cli.app import Exit, app, fail, out
from pbxcore.settings import Settings

_TENANT = typer.Argument(help="Its id, acme, as it is in force; or the document, config/tenants/acme.yaml.")
_OUTPUT = typer.Option("--output", "-o", help="FILE.pdf or FILE.svg. Default: <tenant>-flow.pdf, here.")
_LANGUAGE = typer.Option("--language", "-l", help="de, en, it or nl. Default: the tenant's.")


@app.command(rich_help_panel="Explaining")
def flow(
    tenant: Annotated[str, _TENANT],
    output: Annotated[Path | None, _OUTPUT] = None,
    language: Annotated[Literal["de", "en", "it", "nl"] | None, _LANGUAGE] = None,
) -> None:
    """Draw where calls to a tenant go today: numbers, hours, groups, members, time-outs, forwards.

    A document fit to hand to the customer, in the customer's language. SVG makes one file a page.
    """
    from pbxcore.paper.flow import flow as drawn  # noqa: PLC0415 — the typesetter takes 50 ms to load
    from pbxcore.paper.words import dated, language_of, words  # noqa: PLC0415 — as above

    spec, revision = _of_document(Path(tenant)) if Path(tenant).is_file() else _in_force(tenant)
    file = output or Path(f"{spec.tenant}-flow.pdf")
    form: Literal["pdf", "svg"] = "svg" if file.suffix == ".svg" else "pdf"
    if file.suffix not in {".pdf", ".svg"}:
        raise fail(f"{file} is neither PDF nor SVG", "name a file that ends in .pdf or .svg", Exit.USAGE)
    spoken = language_of(language or spec.language)
    said = words(spoken)
    state = said["of_revision"].format(revision=revision) if revision else said["draft"]
    now = datetime.now(UTC)
    stand = f"{state} · {dated(said, local_time(now, ZoneInfo(spec.time_zone)).date())}"
    pages = drawn(spec, now=now, language=spoken, stand=stand, form=form)
    for page, name in zip(pages, _names(file, len(pages)), strict=True):
        _write(name, page)


def _names(file: Path, count: int) -> list[Path]:
    """Name the files: one as it was asked for, several numbered."""
    return [file] if count == 1 else [file.with_stem(f"{file.stem}-{page}") for page in range(1, count + 1)]


def _write(name: Path, content: bytes) -> None:
    try:
        name.write_bytes(content)
    except OSError as error:
        raise fail(
            f"{name} cannot be written: {error.strerror}", "choose another --output", Exit.NO
        ) from error
    out.print(f"[green]✓[/] {escape(str(name))}", highlight=False)


def _of_document(file: Path) -> tuple[TenantSpec, int]:
    settings = Settings()
    trunks = tuple(trunk.name for trunk in settings.trunks) or documents.SOME_TRUNK
    right, wrong = documents.read([file], trunks=trunks)
    if wrong:
        findings.show(wrong)
        raise fail("a document with mistakes is not drawn", "mend them first", Exit.NO)
    specs = [document.spec for document in right if isinstance(document.spec, TenantSpec)]
    kinds.expect("tenant", [file], right)
    if len(specs) != 1:
        raise fail(f"{file} holds {len(specs)} tenants", "one document, one drawing", Exit.USAGE)
    return specs[0], 0


def _in_force(tenant: str) -> tuple[TenantSpec, int]:
    there = published.load(Settings().published)
    plan = there.plans.get(tenant)
    if plan is None:
        remedy = "`pbxcore tenants` lists them; a document that is not applied yet is named by its file"
        raise fail(f"no tenant {tenant} is in force here", closest(tenant, there.plans, remedy), Exit.NO)
    return TenantSpec.model_validate_json(plan.document), plan.revision

"""A price list beside a catalogue: part of the document, and of every copy of it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app
from pbxcore.documents import Located, Read, locate, read, read_texts
from pbxcore.door import body
from pbxcore.yamltree import MAX_BYTES
from rating import catalogue
from rating.catalogue import CatalogueSpec

CONFIG = Path(__file__).parents[3] / "config"
LISTS = """
price_lists:
  - {price_list: atoz, file: atoz.csv}
"""
ACCOUNT = (CONFIG / "accounts" / "acme.yaml").read_text("utf-8")
CSV = "prefix,name,price_per_minute\n33,France,0.03\n4930, Berlin ,0.01\n"


def put(folder: Path, csv: bytes | str | None = CSV, lists: str = LISTS) -> Path:
    """A catalogue with a list, in a folder of its own."""
    file = folder / "offer.yaml"
    file.write_text((CONFIG / "catalogues" / "autphone.yaml").read_text("utf-8") + lists)
    if csv is not None:
        (folder / "atoz.csv").write_bytes(csv if isinstance(csv, bytes) else csv.encode())
    return file


def only(found: tuple[tuple[Read, ...], tuple[Located, ...]]) -> Read:
    """The one document, without mistakes."""
    (document,), wrong = found
    assert not wrong
    return document


def spec_of(document: Read) -> CatalogueSpec:
    """What it says."""
    assert isinstance(document.spec, CatalogueSpec)
    return document.spec


@pytest.mark.parametrize(
    ("csv", "lists", "code"),
    [
        (None, LISTS, "no-file"),
        (b"prefix,name\xff", LISTS, "no-file"),
        (b"prefix,name,price_per_minute\n33,Fr\x00ance,1\n", LISTS, "no-text"),
        ("prefix,name,price_per_minute\n33,Fr\u2028ance,1\n", LISTS, "no-text"),
        (b"x" * (MAX_BYTES + 1), LISTS, "too-much"),
        (CSV, "price_lists: [{price_list: atoz, file: ../atoz.csv}]\n", "wrong-value"),
        (CSV, "price_lists: [{price_list: atoz, file: [1]}]\n", "wrong-type"),
        (CSV, "price_lists: [1]\n", "wrong-type"),
        (CSV, "price_lists: atoz.csv\n", "wrong-type"),
        (CSV, LISTS + "files: {atoz.csv: other}\n", "two-files"),
    ],
)
def test_a_list_that_cannot_be_taken_is_found(
    tmp_path: Path, csv: bytes | str | None, lists: str, code: str
) -> None:
    """What is missing, no text, too large, elsewhere or there twice is told with the line that names it."""
    documents, wrong = read([put(tmp_path, csv, lists)])
    assert documents == ()
    assert code in {one.finding.code for one in wrong}
    assert all(one.line > 90 for one in wrong)


def test_a_document_holds_its_list(tmp_path: Path) -> None:
    """The text, the JSON and what is read again from the text alone say the same, file or no file."""
    file = put(tmp_path, "\ufeff" + CSV.replace("\n", "\r\n") + "\r\n")
    document = only(read([file]))
    assert spec_of(document).files == {"atoz.csv": CSV}
    alone = only(read_texts([(str(tmp_path / "nowhere" / "offer.yaml"), document.text)]))
    beside = only(read_texts([(str(tmp_path / "again.yaml"), document.text)]))
    assert spec_of(alone) == spec_of(beside) == spec_of(document)
    assert body(alone) == body(document) == body(beside)
    assert CatalogueSpec.model_validate_json(body(document)) == spec_of(document)
    assert alone.text == document.text


def test_a_catalogue_among_others_in_one_file_holds_its_list(tmp_path: Path) -> None:
    """Where another document follows, the list still ends with its own."""
    file = put(tmp_path)
    file.write_text(f"{file.read_text()}---\n{ACCOUNT}")
    documents, wrong = read([file])
    assert not wrong
    assert [one.kind for one in documents] == ["catalogue", "account"]
    assert spec_of(only(read_texts([("x.yaml", documents[0].text)]))) == spec_of(documents[0])


def test_a_mistake_in_a_list_has_the_line_of_its_row(tmp_path: Path) -> None:
    """In the file where it stands beside the document, in the document where it was exported."""
    document = only(read([put(tmp_path, CSV + "49,Germany,0,02\n")]))
    (wrong,) = catalogue.check(spec_of(document), {*_countries(spec_of(document))})
    (located,) = locate(document, [wrong])
    assert (located.file, located.line) == (str(tmp_path / "atoz.csv"), 4)
    alone = only(read_texts([("x.yaml", document.text)]))
    (located,) = locate(alone, [wrong])
    assert alone.text.splitlines()[located.line - 1] == "    49,Germany,0,02"


def _countries(spec: CatalogueSpec) -> set[str]:
    return {country for zone in spec.zones.values() if zone.countries != "rest" for country in zone.countries}


def test_check_calls_no_catalogue_right_whose_list_is_wrong(tmp_path: Path) -> None:
    """The mistake stands in another file, and is the catalogue's all the same."""
    file = put(tmp_path, "prefix,name,price_per_minute\n33,France,free\n")
    told = CliRunner().invoke(app, ["check", str(file), "--json"])
    found = json.loads(told.stdout)
    assert (told.exit_code, found["documents"]) == (1, [])
    assert [(one["file"], one["line"]) for one in found["findings"]] == [(str(tmp_path / "atoz.csv"), 2)]

"""Documents: every mistake at once, with its line; nothing means something else than it seems to."""

import json
import pkgutil
import shlex
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from dialplan.spec import TenantSpec
from pbxcore import form
from pbxcore.cli import app
from pbxcore.documents import SPECS, read, read_texts
from pbxcore.settings import Settings
from pbxcore.yamltree import MAX_BYTES, read_trees
from rating.party import CustomerSpec

ACME = Path(__file__).parents[3] / "config/tenants/acme.yaml"
ACCOUNT = ACME.parents[1] / "accounts/acme.yaml"

EVERYTHING_WRONG = """\
version: 1
tenant: bad
name: Bad GmbH
country: DE
time_zone: Europe/Berlin
account: bad
numbers:
  +493055500300:
    to: group sales
  +4930:
    to: extension 10
extensions:
  "10":
    name: A
    devices: [p10]
    voicmail: {}
    forward: {always: extension 11}
  "11":
    name: B
    devices: [p11]
    forward:
      busy: extension 10
      no_answer: {to: voicemail 10, after_s: twenty}
groups:
  sales:
    name: Verkauf
    extension: "60"
    members: ["10", 11, "99"]
---
version: 1
tenant: worse
name: Worse GmbH
country: DE
time_zone: Europe/Berlin
account: worse
numbers:
  +493055500300: {to: extension 20}
extensions:
  "20": {name: D, devices: [p20]}
"""


@pytest.mark.parametrize("zone", ["x", '""', "Europe", "Europe/Berlik", "../../etc/passwd", "/etc/passwd"])
def test_a_time_zone_that_is_none_is_found(zone: str) -> None:
    """Whatever stands there instead of a name of the time zone database: a mistake with its line."""
    text = ACME.read_text().replace("time_zone: Europe/Berlin", f"time_zone: {zone}")
    documents, findings = read_texts([("a.yaml", text)])
    assert documents == ()
    line = 1 + text.splitlines().index(f"time_zone: {zone}")
    assert [(one.line, one.finding.code) for one in findings] == [(line, "no-time-zone")]


def test_all_mistakes_of_a_file_are_listed_with_their_lines() -> None:
    """Unknown key, wrong type, no number, missing member, circle and a number of two tenants: in one go."""
    documents, findings = read_texts([("bad.yaml", EVERYTHING_WRONG)])
    assert documents == ()
    assert [(located.line, located.finding.code) for located in findings] == [
        (8, "number-taken"),
        (10, "no-number"),
        (16, "unknown-key"),
        (17, "cycle"),
        (23, "wrong-type"),
        (28, "missing-member"),
        (28, "wrong-type"),
        (37, "number-taken"),
    ]
    by_line = {located.line: located.finding for located in findings}
    assert by_line[16].remedy == "did you mean `voicemail`?"
    assert by_line[28].path[:3] == ("groups", "sales", "members")
    assert "worse" in by_line[8].message
    assert "bad" in by_line[37].message


def test_what_a_slip_of_a_key_may_have_meant_is_not_missing() -> None:
    """A mailbox that was written as `voicmail` is one mistake, not two."""
    _, findings = read_texts([("bad.yaml", EVERYTHING_WRONG)])
    assert "no-mailbox" not in {located.finding.code for located in findings}


def test_an_item_behind_a_wrong_one_keeps_its_place() -> None:
    """What is malformed in a list moves neither the index nor the line of what comes after it."""
    _, findings = read_texts([("bad.yaml", EVERYTHING_WRONG)])
    paths = {located.finding.code: located.finding.path for located in findings}
    assert paths["missing-member"] == ("groups", "sales", "members", 2)


BROKEN_TEXTS = {
    "no-yaml": ("tenant: acme\n  name: [", 2),
    "alias": ("tenant: &a acme\nname: *a\n", 2),
    "tag": ("tenant: !!python/object:os.system acme\n", 1),
    "key-twice": ("tenant: acme\nname: A\nname: B\n", 3),
    "key-no-text": ("tenant: acme\n? [a, b]\n: c\n", 2),
    "too-much": ("a: " + "[" * 50 + "]" * 50 + "\n", 1),
    "other-document": ("colour: red\n", 1),
    "unknown-kind": ("version: 1\ntenannt: acme\n", 2),
}


@pytest.mark.parametrize("code", BROKEN_TEXTS)
def test_what_is_not_plain_yaml_is_refused(code: str) -> None:
    """Bombs, tags, doubled keys and depth are findings with a line, never an exception."""
    text, line = BROKEN_TEXTS[code]
    documents, findings = read_texts([("x.yaml", text)])
    assert documents == ()
    assert (code, line) in {(located.finding.code, located.line) for located in findings}


DOUBLED = """\
version: 1
tenant: two
name: Two
country: DE
time_zone: Europe/Berlin
account: two
numbers:
  "+49 431 5550111":
    to: extension 21
    callers: {callers}
  "{second}": {{to: hours office}}
hours:
  office: {{open: ["Mon-Fri 08:00-18:00"], then: extension 21, closed: extension 22}}
extensions:
  "21": {{name: A, devices: [a], caller_id: "+49 431 5550111"}}
  "22": {{name: B, devices: [b]}}
"""


@pytest.mark.parametrize("second", ["+494315550111", "+49 4315550111", "+49 431 5550111"])
def test_a_number_in_two_spellings_is_given_twice(second: str) -> None:
    """The later one is named with the line of the first, and nothing else is blamed for what it hides."""
    documents, findings = read_texts([("two.yaml", DOUBLED.format(second=second, callers="{}"))])
    assert documents == ()
    assert [(one.line, one.finding.code, one.finding.path) for one in findings] == [
        (11, "key-twice", ("numbers", second))
    ]
    assert findings[0].finding.message.endswith("is in line 8")


def test_callers_in_two_spellings_are_given_twice() -> None:
    """Whatever is normalised: the beginning of a number as well as a whole one."""
    text = DOUBLED.format(second="+494315550112", callers='{"+49 30*": extension 21, "+4930*": extension 22}')
    _, findings = read_texts([("two.yaml", text)])
    assert [(one.line, one.finding.code) for one in findings] == [(10, "key-twice")]
    assert "the first, +49 30*, is in line 10" in findings[0].finding.message


def test_what_is_in_force_with_a_number_in_two_spellings_is_still_read() -> None:
    """A stored document is read without this check, as it was when it was put in force."""
    ((tree,), _) = read_trees(DOUBLED.format(second="+494315550111", callers="{}"))
    spec = TenantSpec.model_validate(tree.value)
    assert [number.to for number in spec.numbers.values()] == ["hours office"]


def test_a_bomb_of_aliases_is_not_lit() -> None:
    """Aliases are not followed, so nothing can grow."""
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    trees, findings = read_trees("\n".join(lines))
    assert len(trees) == 1
    assert {finding.code for _, finding in findings} == {"alias", "tag"}


def test_a_file_has_a_largest_size() -> None:
    """A file beyond the limit is not parsed at all."""
    trees, findings = read_trees("#" * (MAX_BYTES + 1))
    assert trees == ()
    assert [finding.code for _, finding in findings] == ["too-much"]


def test_plain_scalars_mean_what_people_mean() -> None:
    """Norway is no truth value, eight o'clock no number, a telephone number no sum, a price no float."""
    text = (
        "a: NO\nb: 08:00\nc: +4930555\nd: 0.019\ne: 10\nf: 2026-12-24\ng: true\nh:\ni: 010\nj: '10'\n10: k\n"
    )
    (tree,), findings = read_trees(text)
    assert findings == ()
    assert tree.value == {
        "a": "NO",
        "b": "08:00",
        "c": "+4930555",
        "d": Decimal("0.019"),
        "e": 10,
        "f": date(2026, 12, 24),
        "g": True,
        "h": None,
        "i": "010",
        "j": "10",
        "10": "k",
    }


def test_files_that_cannot_be_read_are_findings(tmp_path: Path) -> None:
    """A missing file and one of another encoding are told by name, with the line that is no UTF-8."""
    (tmp_path / "latin.yaml").write_bytes("version: 1\nname: Müller".encode("latin-1"))
    _, (latin, missing) = read([tmp_path / "missing.yaml", tmp_path / "latin.yaml"])
    assert (missing.line, missing.finding.code) == (1, "no-file")
    assert (latin.line, latin.finding.code, latin.finding.remedy) == (2, "no-file", "save the file as UTF-8")
    assert latin.finding.message == "the file cannot be read: the byte 0xFC in this line is not UTF-8"


def test_a_folder_is_searched_and_what_is_no_document_passed_over(tmp_path: Path) -> None:
    """Settings beside documents are no mistake in a folder; named, they are; a slip of the key always is."""
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "acme.yaml").write_text(ACME.read_text())
    (tmp_path / "service.yaml").write_text("version: 1\nbind: 127.0.0.1\n")
    documents, findings = read([tmp_path])
    assert ([document.id for document in documents], findings) == (["acme"], ())
    assert documents[0].text == ACME.read_text()
    assert [one.finding.code for one in read([tmp_path / "service.yaml"])[1]] == ["other-document"]
    (tmp_path / "slip.yaml").write_text("version: 1\ntenent: acme\n")
    assert [one.finding.code for one in read([tmp_path])[1]] == ["unknown-kind"]


def test_one_tenant_in_two_files_is_told(tmp_path: Path) -> None:
    """The second document of a tenant is a mistake, and names the first."""
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(ACME.read_text())
    _, findings = read([tmp_path])
    assert [(Path(one.file).name, one.finding.code) for one in findings] == [("b.yaml", "document-twice")]
    assert "a.yaml:1" in findings[0].finding.message


def test_check_tells_scripts_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pbxcore check --json` lists findings and exits 1; without any it exits 0."""
    monkeypatch.setenv(
        "PBXCORE_STATE", str(tmp_path)
    )  # a machine that runs in this folder would be asked, too
    bad = tmp_path / "bad.yaml"
    bad.write_text(EVERYTHING_WRONG)
    wrong = CliRunner().invoke(app, ["check", "--json", str(bad)])
    assert wrong.exit_code == 1
    verdict = json.loads(wrong.stdout)
    assert (verdict["ok"], len(verdict["findings"]), verdict["documents"]) == (False, 8, [])
    assert set(verdict["findings"][0]) == {"file", "line", "path", "code", "message", "remedy"}
    right = CliRunner().invoke(app, ["check", str(ACME)])
    assert right.exit_code == 0
    assert "nothing is wrong" in right.stdout


def test_check_names_where_it_found_nothing(tmp_path: Path) -> None:
    """An empty file is named, not only that there is no document."""
    empty = tmp_path / "empty.yaml"
    empty.touch()
    found = CliRunner().invoke(app, ["check", str(empty)])
    assert (found.exit_code, f"no document in {empty}" in found.stdout) == (1, True), found.stdout


def test_a_command_in_another_folder_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing answers where no machine is; the place is named beside starting it."""
    monkeypatch.chdir(tmp_path)
    for name in ("PBXCORE_CONFIG", "PBXCORE_STATE", "PBXCORE_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    found = CliRunner().invoke(app, ["tenants"])
    assert (found.exit_code, "no config/service.yaml here" in found.stderr) == (3, True), found.stderr


def test_decide_shows_steps_and_reasons() -> None:
    """`pbxcore decide` answers without Asterisk and database, for people and for scripts."""
    call = ["decide", "-f", str(ACME), "--trunk", "carrier", "--to", "+493022200100"]
    monday = [*call, "--caller", "+4989123456", "--at", "2026-11-23T10:00:00+01:00"]
    shown = CliRunner().invoke(app, monday)
    assert shown.exit_code == 0, shown.stderr
    assert "+436641234567 over carrier" in shown.stdout
    assert "hours.office.then" in shown.stdout
    told = json.loads(CliRunner().invoke(app, [*monday, "--json"]).stdout)
    assert [step["do"] for step in told["steps"]] == ["ring", "outside"]
    assert told["steps"][1]["payer"] == "acme/60"


@pytest.mark.parametrize(
    ("at", "rule"),
    [
        ("2026-11-23T07:59", "hours.office.closed"),
        ("2026-11-23T08:01", "hours.office.then"),
        ("2026-11-23T07:01+00:00", "hours.office.then"),
    ],
)
def test_an_instant_without_offset_is_of_the_tenants_clock(at: str, rule: str) -> None:
    """The office of the example opens at eight where it stands, wherever the operator's machine does."""
    call = ["decide", "-f", str(ACME), "--trunk", "carrier", "--to", "+493022200100", "--at", at, "--json"]
    told = json.loads(CliRunner().invoke(app, call).stdout)
    assert rule in [because["rule"] for because in told["because"]]


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["--to", "11"], 2),  # nobody calls
        (["--to", "11", "--from", "acme-p10", "--trunk", "carrier"], 2),
        (["--to", "11", "--from", "acme-p10", "--at", "tomorrow"], 2),
        (["--to", "+493022200100", "--trunk", "carier"], 2),  # no such trunk
    ],
)
def test_decide_says_which_argument_is_missing(arguments: list[str], exit_code: int) -> None:
    """A question that is none ends with the exit code of a wrong command line."""
    assert CliRunner().invoke(app, ["decide", "-f", str(ACME), *arguments]).exit_code == exit_code


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ("--trunk carrier --from +4930123", "--trunk carrier --caller +4930123"),
        ("--from +4930123", "--caller +4930123"),
        ("--from acme-p10 --rung-for acme/sales", "--forwarded-by acme-p10"),
        ("--from acme-p10 --transferred-by acme-p11 --rung-for acme/sales", "--forwarded-by acme-p10"),
        ("--from acme-p10 --forwarded-by acme-p11 --rung-for acme/sale", "did you mean acme/sales?"),
        ("--from acme-p10 --forwarded-by acme-p11 --rung-for [b]", "name one of: acme/sales"),
        ("--trunk carier", "did you mean carrier?"),
    ],
)
def test_decide_says_what_was_meant(arguments: str, remedy: str) -> None:
    """Who calls over a trunk is said by --caller, and a group rings for a phone that sends its call on."""
    call = ["decide", "-f", str(ACME), "--to", "11", *arguments.split()]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 2
    assert remedy in done.stderr


def test_decide_reads_published_plans(tmp_path: Path) -> None:
    """An empty folder of plans is told, and documents with mistakes decide nothing."""
    arguments = ["--to", "11", "--from", "acme-p10"]
    assert CliRunner().invoke(app, ["decide", "--state", str(tmp_path), *arguments]).exit_code == 1
    bad = tmp_path / "bad.yaml"
    bad.write_text(EVERYTHING_WRONG)
    assert CliRunner().invoke(app, ["decide", "-f", str(bad), *arguments]).exit_code == 1


@pytest.mark.parametrize(
    ("account", "said", "known"),
    [
        ("", "account-day-limit", None),
        ('spend_limits: {per_month: "20.00"}', "account-day-limit", "account-month-limit"),
        ('spend_limits: {per_month: "20.00"}', "no-credit", "account-month-limit"),
        ('spend_limits: {per_month: "20.00"}', "account-month-limit", ""),
        ('spend_limits: {extensions: {acme/11: {per_day: "5.00"}}}', "extension-day-limit", "no-price"),
        ('spend_limits: {extensions: {acme/10: {per_day: "5.00"}}}', "extension-day-limit", ""),
        ("payment: prepaid", "no-credit", ""),
        ("payment: prepaid", "account-month-limit", "no-credit"),
    ],
)
def test_a_trial_refuses_only_for_limits_that_there_are(
    tmp_path: Path, account: str, said: str, known: str | None
) -> None:
    """Any other is told with those that its account has; without limits nobody is asked."""
    file = tmp_path / "account.yaml"
    file.write_text(f"{ACCOUNT.read_text()}{account}\n")
    call = ["decide", "-f", str(ACME), "-f", str(file), "--from", "acme-p10", "--to", "+436641234567"]
    done = CliRunner().invoke(app, [*call, "--credit", said], env={"COLUMNS": "200"})
    assert done.exit_code == (0 if known == "" else 2), done.output
    if known is None:
        assert "nobody is asked" in done.output
        assert "accounts with `spend_limits`" in done.output
    elif known:
        assert known in done.output.partition("give seconds, or one of")[2]
    else:
        assert "may not call" in done.output


def test_the_example_of_a_limit_works_as_the_readme_writes_it(tmp_path: Path) -> None:
    """The account that is shipped has no limits: the example adds one, and the call is refused for it."""
    lines = (ACME.parents[2] / "README.md").read_text().splitlines()
    ((make, _, call),) = ((line.partition(" > limited.yaml")) for line in lines if " > limited.yaml" in line)
    (example,) = (line.partition("   #")[0] for line in lines if "-f limited.yaml" in line)
    limited = tmp_path / "limited.yaml"
    limited.write_text(ACCOUNT.read_text() + shlex.split(make)[-1].removesuffix(")") + "\n")
    assert (make.startswith("(cat config/accounts/acme.yaml; echo "), call) == (True, "")
    there = example.replace("limited.yaml", str(limited)).replace("config/tenants/acme.yaml", str(ACME))
    done = CliRunner().invoke(app, shlex.split(there)[1:], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "refuse  account-day-limit" in done.output


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("hours: {office: {open: [], holidays: close, then: extension 10}}", "write closed, or the spans"),
        ("hours: {office: {open: [], holidays: 10:00-12:00, then: extension 10}}", '["10:00-12:00"]'),
        ("routes: [{countries: [Österreich], trunks: [carrier]}]", "two letters as in ISO 3166"),
        ('spend_limits: {per_month: "20,00"}', 'write "20.00", in quotes'),
        ("spend_limits: {per_month: twenty}", 'an amount like "0.019"'),
        ("zones: {dach: {name: x, countries: [Österreich]}}", "two letters of a country as in ISO 3166"),
        ("zones: {dach: {name: x, countries: all}}", "it should be 'rest'"),
        ("currency: euro", "three letters as in ISO 4217: EUR"),
        ("rounding: halfup", "did you mean half-up?"),
        ("spend_limits: {per_day: '-5'}", "write 0 or more"),
        ("first_increment_s: 0", "write 1 or more"),
        ("next_increment_s: 99999", "write 3600 or less"),
    ],
)
def test_a_remedy_says_how_it_is_written(line: str, remedy: str) -> None:
    """Not once more what is wrong; and one mistake is one finding."""
    kind = "tenant" if "hours" in line or "routes" in line else "account" if "spend" in line else "catalogue"
    _, findings = read_texts([("x.yaml", f"version: 1\n{kind}: acme\n{line}\n")])
    (found,) = [one for one in findings if one.line == 3 and one.finding.code != "unknown-target"]
    assert remedy in found.finding.remedy


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "rates: [{zone: DE, kind: fixed, price_per_minute: '-0.019'}]",
            "'price_per_minute' is the text '-0.019'",
        ),
        ("rates: [{zone: DE, kind: fixed, connection_fee: '-1'}]", "'connection_fee' is the text '-1'"),
    ],
)
def test_an_amount_is_told_as_it_was_written(line: str, message: str) -> None:
    """Nobody has written micro-units."""
    _, findings = read_texts([("x.yaml", f"version: 1\ncatalogue: acme\n{line}\n")])
    assert message in [one.finding.message for one in findings if one.line == 3]


def test_everything_wrong_with_a_row_is_told() -> None:
    """An unknown key, a kind that there is not and a price below zero are three mistakes."""
    row = "{zone: DE, kind: fxed, price_per_minute: '-1', connecton_fee: '1'}"
    _, findings = read_texts([("x.yaml", f"version: 1\ncatalogue: acme\nrates: [{row}]\n")])
    told = sorted(".".join(map(str, one.finding.path)) for one in findings if len(one.finding.path) == 3)
    assert told == ["rates.0.connecton_fee", "rates.0.kind", "rates.0.price_per_minute"]


def test_a_value_of_several_types_is_wrong_once() -> None:
    """Units below one are no mapping either, but nobody meant one."""
    event = "{on: 2026-01-01, sign: {add: {number: -2}}}"
    _, findings = read_texts([("x.yaml", f"version: 1\ncontract: acme\ncatalogue: c\nevents: [{event}]\n")])
    assert [one.finding.remedy for one in findings] == ["write more than 0"]


def patterns(schema: object) -> Iterator[str]:
    """Find every pattern in a schema."""
    if isinstance(schema, dict):
        yield from [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else ():
        yield from patterns(part)


@pytest.mark.parametrize(
    "model",
    [*map(pkgutil.resolve_name, SPECS.values()), Settings, CustomerSpec],
    ids=lambda model: model.__name__,
)
def test_every_pattern_has_words(model: type[BaseModel]) -> None:
    """No operator reads a regular expression."""
    assert set(patterns(model.model_json_schema())) <= form.PATTERNS.keys()


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("diff {account}", "tenant"),
        ("decide -f {account} --from acme-p10 --to 11", "tenant"),
        ("flow {account}", "tenant"),
        ("contract simulate {account}", "contract"),
        ("contract simulate {contract} --catalogue {account}", "catalogue"),
        ("rate --catalogue {account} --account {contract} --legs -", "catalogue"),
        ("rate --catalogue {catalogue} --account {contract} --legs -", "account"),
    ],
)
def test_another_kind_of_document_is_told_as_that(command: str, wanted: str) -> None:
    """Who names an account's file where a catalogue is wanted learns that, and not that there is none."""
    config = ACCOUNT.parents[1]
    files = {kind: config / f"{kind}s/acme.yaml" for kind in ("account", "contract")}
    done = CliRunner().invoke(
        app, command.format(**files, catalogue=config / "catalogues/autphone.yaml").split()
    )
    given = "contract" if "rate" in command and wanted == "account" else "account"
    assert done.exit_code == 2, done.output
    assert f"holds {given} acme, and no {wanted}" in done.stderr


def test_a_tab_is_told_as_a_tab() -> None:
    """Editors show it as blanks; YAML takes none at the beginning of a line."""
    _, (wrong,) = read_texts([("x.yaml", "tenant: a\nextensions:\n\t10: {}\n")])
    assert (wrong.line, wrong.finding.message) == (3, "this line is indented with a tab")


def test_a_member_without_quotes_is_told_for_them() -> None:
    """Nobody who wrote 10 wants to write a mapping."""
    text = ACME.read_text().replace('members: ["10", "11"]', "members: [10, 11]")
    _, findings = read_texts([("x.yaml", text)])
    assert [(one.finding.message, one.finding.remedy) for one in findings] == [
        (
            f"'members.{index}' is the number '{number}'",
            'write text; a number that is a name stands in quotes, "10"',
        )
        for index, number in enumerate((10, 11))
    ]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{price_per_minute: 0,019}", [("0,019 is two values here: a comma divides them", "write `0.019`")]),
        (
            "{price_per_minute: 0,019, kind: fixed}",
            [("0,019 is two values here: a comma divides them", "write `0.019`")],
        ),
        ("{price_per_minute: -0,5}", [("-0,5 is two values here: a comma divides them", "write `-0.5`")]),
        ("{price_per_minute: 0, 019: }", []),
        ("{price_per_minute: 0,019: x}", []),
        ("{price_per_minute: x,019}", []),
    ],
)
def test_a_decimal_comma_is_told_as_one(row: str, told: list[tuple[str, str]]) -> None:
    """In braces YAML reads 0,019 as a price of nothing and a key: nobody is told to write nothing."""
    trees, findings = read_trees(f"rates:\n- {row}\n")
    assert [(line, one.path, one.code) for line, one in findings] == [
        (2, ("rates", 0, "price_per_minute"), "decimal-comma") for _ in told
    ]
    assert [(one.message, one.remedy.partition(",")[0]) for _, one in findings] == told
    assert not told or "019" not in trees[0].value["rates"][0]


def test_a_price_with_a_comma_is_wrong_once() -> None:
    """Neither is the rest of the number an unknown key, nor the price a number without quotes."""
    row = "{zone: dach, kind: fixed, price_per_minute: 0,019}"
    _, findings = read_texts([("x.yaml", f"version: 1\ncatalogue: acme\nrates:\n- {row}\n")])
    assert [one.finding.code for one in findings if one.line == 4] == ["decimal-comma"]


def test_a_day_that_no_calendar_has_is_told_as_that() -> None:
    """There are no quotes to leave out."""
    event = "{on: 2026-02-30, cancel: {}}"
    _, findings = read_texts([("x.yaml", f"version: 1\ncontract: acme\ncatalogue: c\nevents: [{event}]\n")])
    remedies = [one.finding.remedy for one in findings if one.finding.path[-1:] == ("on",)]
    assert remedies == ["write a day that the calendar has: 2026-02 ends on 2026-02-28"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        ("+4917", 'it is too short: write all its digits, "+493022200100"'),
        ("+49301234567890123", 'it is too long: write at most 15 digits, "+493022200100"'),
        ("030222", 'write it with + and country code, "+493022200100"'),
        ("+49x", 'write it with + and country code, "+493022200100"'),
    ],
)
def test_a_number_is_told_for_what_it_lacks(number: str, remedy: str) -> None:
    """Who wrote + and country code is not told to write them."""
    text = ACME.read_text().replace("closed: voicemail 10", f"closed: number {number}")
    assert number in text
    _, findings = read_texts([("x.yaml", text)])
    assert [one.finding.remedy for one in findings] == [remedy]

"""The mirror is this machine's own, in whichever form its sources are written."""

from pathlib import Path

import pytest

from pbxcore.machine import mirror
from pbxcore.machine.errors import TreeError
from pbxcore.machine.mirror import Mirror, mirrors

BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'
TRIXIE = BOOKWORM.replace("12", "13").replace("bookworm", "trixie")
KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"

DEB822 = f"""
Types: deb
# a comment inside
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: {KEY}

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: {KEY}
"""
EMBEDDED = """Types: deb deb-src
URIs: https://mirror.example/debian/
Suites: trixie
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS
 -----END PGP PUBLIC KEY BLOCK-----
"""


def machine(tmp_path: Path, sources: dict[str, str], release: str = BOOKWORM) -> tuple[Path, Path]:
    """A folder like /etc/apt and a file like /etc/os-release."""
    apt = tmp_path / "apt"
    (apt / "sources.list.d").mkdir(parents=True)
    for name, text in sources.items():
        (apt / name).write_text(text)
    (tmp_path / "os-release").write_text(release)
    return apt, tmp_path / "os-release"


@pytest.fixture(autouse=True)
def _no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(mirror.VARIABLE, raising=False)


@pytest.mark.parametrize(
    "sources",
    [
        {},
        {"sources.list": "# deb http://mirror.example/debian bookworm main\n"},
        {"sources.list": "deb-src http://mirror.example/debian bookworm main\n"},
        {"sources.list": "deb http://mirror.example/debian-security bookworm-security main\n"},
        {"sources.list": "deb [arch=amd64] https://vendor.example/linux/debian bookworm stable\n"},
        {"sources.list": "deb https://vendor.example/apt nodistro main\n"},
        {"sources.list": "deb\ndeb http://mirror.example\nnonsense [\n"},
        {"sources.list.d/debian.sources": DEB822.replace("Types: deb\n", "Types: deb\nEnabled: no\n")},
        {"sources.list.d/debian.sources.save": DEB822},
    ],
)
def test_without_a_debian_mirror_it_says_what_to_do(tmp_path: Path, sources: dict[str, str]) -> None:
    """No mirror, security alone, third parties, what is switched off: one remedy names the variable."""
    with pytest.raises(TreeError) as refused:
        mirrors(*machine(tmp_path, sources))
    assert mirror.VARIABLE in refused.value.remedy


@pytest.mark.parametrize(
    ("sources", "release", "expected"),
    [
        (
            {"sources.list.d/debian.sources": DEB822},
            BOOKWORM,
            [Mirror("http://mirror.example/debian", (("signed-by", KEY),))],
        ),
        (
            {"sources.list": "deb http://mirror.example/debian bookworm main contrib # note\n"},
            BOOKWORM,
            [Mirror("http://mirror.example/debian")],
        ),
        (
            {"sources.list": f"deb [ a=b signed-by={KEY} trusted=yes ] http://m.example/debian stable main"},
            BOOKWORM,
            [Mirror("http://m.example/debian", (("signed-by", KEY), ("trusted", "yes")))],
        ),
        (
            {"sources.list": "deb mirror+file:/etc/apt/mirrors/debian.list trixie main\n"},
            TRIXIE,
            [Mirror("mirror+file:/etc/apt/mirrors/debian.list")],
        ),
        (
            {
                "sources.list": "deb https://vendor.example/php bookworm main\n",
                "sources.list.d/debian.sources": DEB822.replace(
                    "mirror.example/debian\n", "a.example/debian b.example/x\n"
                ),
            },
            BOOKWORM,
            [
                Mirror("http://a.example/debian", (("signed-by", KEY),)),
                Mirror("https://vendor.example/php"),
                Mirror("b.example/x", (("signed-by", KEY),)),
            ],
        ),
    ],
    ids=["deb822", "one line", "options", "mirror list", "third party"],
)
def test_the_machines_own_sources_are_read(
    tmp_path: Path, sources: dict[str, str], release: str, expected: list[Mirror]
) -> None:
    """Both formats, with what belongs to a mirror; Debian's usual path comes first."""
    assert list(mirrors(*machine(tmp_path, sources, release))) == expected


def test_a_key_inside_a_source_is_kept(tmp_path: Path) -> None:
    """What apt is given for testing holds the key as it stood, and nothing else of the source."""
    (found,) = mirrors(*machine(tmp_path, {"sources.list.d/debian.sources": EMBEDDED}, TRIXIE))
    key = EMBEDDED[EMBEDDED.index("Signed-By:") :]
    head = "Types: deb\nURIs: https://mirror.example/debian/\nSuites: forky\nComponents: main\n"
    assert found.stanza("forky") == head + key


def test_a_mirror_named_by_hand_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable takes what stands between `deb` and the suite in sources.list."""
    monkeypatch.setenv(mirror.VARIABLE, "[trusted=yes] http://own.example/debian")
    assert mirrors(tmp_path, tmp_path) == (Mirror("http://own.example/debian", (("trusted", "yes"),)),)
    assert "Signed-By" not in mirrors(tmp_path, tmp_path)[0].stanza("forky")


def test_a_machine_that_is_no_debian_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without apt there is one way: an Asterisk of one's own."""
    monkeypatch.setattr(mirror, "APT", tmp_path / "apt-get")
    with pytest.raises(TreeError, match="no Debian") as refused:
        mirrors(tmp_path, tmp_path)
    assert "PBXCORE_ASTERISK=own" in refused.value.remedy

"""The form of mail addresses in a document and of the mail server in the settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from dialplan.spec import VoicemailSpec
from pbxcore.machine.services import environment
from pbxcore.settings import Settings, Smtp

SERVER = {"host": "mail.example.com", "from": "pbx@example.com"}


@pytest.mark.parametrize(
    "address",
    [
        "", "anna", "@example.com", "anna@", "anna@example", "anna@-example.com", "anna@example.com\n",
        "anna@example.com, eve@example.com", "Anna <anna@example.com>", "an na@example.com", ".a@example.com",
        "a..b@example.com", "anna@example.com\r\nBcc: eve@example.com", "änna@example.com", "a@b@example.com",
        "a@" + "b" * 300 + ".com",
    ],
)  # fmt: skip
def test_what_is_no_single_address(address: str) -> None:
    """Nothing reaches the head of a letter that is not one plain address."""
    with pytest.raises(ValidationError, match="mail address"):
        VoicemailSpec.model_validate({"mail": address})


@pytest.mark.parametrize(
    "address", ["anna@example.com", "a.b+c@mail.xn--nxasmq6b.co.uk", "o'hara@x-y.museum"]
)
def test_addresses_as_people_have_them(address: str) -> None:
    """A box has mail as soon as it names an address, with the recording and keeping the message."""
    box = VoicemailSpec.model_validate({"mail": address})
    assert (box.mail, box.attach, box.delete_after_mail) == (address, True, False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": "pbx", "tls": "none"}, {"tls": "maybe"}, {"port": 0}, {"from": "nobody"},
        {"from": "a@b.c\nBcc: eve@x.y"}, {"host": "mail example"}, {"to": "anna@example.com"},
    ],
)  # fmt: skip
def test_a_mail_server_that_cannot_be(wrong: dict[str, Any]) -> None:
    """A password in clear, a sender that is none and a key that nobody knows are refused."""
    with pytest.raises(ValidationError):
        Smtp.model_validate(SERVER | wrong)


def test_a_process_has_the_mail_server_of_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the settings say reaches the process that sends; the password is in no text about it."""
    server = Smtp.model_validate(SERVER | {"user": "pbx", "password": "geheim"})
    for name, value in environment(Settings(smtp=server)).items():
        monkeypatch.setenv(name, value)
    assert Settings().smtp == server
    assert "geheim" not in repr(Settings())

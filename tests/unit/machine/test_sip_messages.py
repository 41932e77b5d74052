"""What is looked for among the messages of a phone of the tests."""

import pytest

from pbxcore.practice.sipp import SipMessage, first

ANSWER = SipMessage(at=1.0, sent=False, text="SIP/2.0 200 OK\nCSeq: 1 INVITE\n")
INVITE = SipMessage(at=2.0, sent=True, text="INVITE sip:10@127.0.0.1 SIP/2.0\nCSeq: 2 INVITE\n")


def test_a_message_that_is_missing_is_told_with_those_that_came() -> None:
    """Neither an answer to something else nor a request of the same name stands for it."""
    with pytest.raises(LookupError) as told:
        first([INVITE, ANSWER], "INVITE", status=486)
    assert (
        str(told.value) == "no 486 to INVITE, but ['> INVITE sip:10@127.0.0.1 SIP/2.0', '< SIP/2.0 200 OK']"
    )
    with pytest.raises(LookupError, match="no BYE, but nothing"):
        first([], "BYE")


def test_a_request_is_no_answer_to_one() -> None:
    """Of the same method: the request by its name alone, the answer with its status."""
    assert first([ANSWER, INVITE], "INVITE") is INVITE
    assert first([INVITE, ANSWER], "INVITE", status=200) is ANSWER

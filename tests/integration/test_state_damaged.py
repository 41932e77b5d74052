"""Files of the state folder that are lost or damaged: changes come through, and all of them comes back."""

import pytest

from pbxcore import database, publication, published
from pbxcore.settings import Settings
from tests.integration.test_door import CONFIG, put, start


@pytest.mark.parametrize("text", [None, ""], ids=["lost", "empty"])
async def test_a_lost_plan_is_published_again(settings: Settings, text: str | None) -> None:
    """The machine finds it by itself, and so does who applies the same document again."""
    await start(settings)
    acme = (CONFIG / "tenants" / "acme.yaml").read_text()
    plan = published.file_of(settings.published, "acme", 1)
    whole = plan.read_text()
    for by_itself in (True, False):
        plan.unlink()
        if text is not None:
            plan.write_text(text)
        connection = await database.connect(database.url_of(settings), application="test")
        try:
            assert not await publication.is_complete(settings, connection), "then web completes it"
            if by_itself:
                there = await publication.catch_up(settings, connection)
            else:
                there = (await put(settings, acme=acme)).published
            assert await publication.is_complete(settings, connection)
        finally:
            await connection.close()
        assert [(one.tenant, one.revision) for one in there] == [("acme", 1)]
        assert plan.read_text() == whole
    assert list(published.load(settings.published).plans) == ["acme"]

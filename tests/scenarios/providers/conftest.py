"""Stories of contracts, told by `pbxcore contract simulate` as a user would have them told."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app

CATALOGUES = Path(__file__).parents[3] / "config" / "catalogues"


@dataclass(frozen=True)
class Told:
    """What the command said."""

    values: dict[str, Any]

    @property
    def invoices(self) -> dict[str, str]:
        """Day of an invoice → its total before VAT, or with it where prices contain it."""
        return {one["on"]: one["total"] for one in self.values["invoices"]}

    @property
    def credit(self) -> list[tuple[str, str, str, str]]:
        """Every movement of the credit: day, what, amount, balance."""
        keys = ("on", "what", "amount", "balance")
        return [tuple(one[key] for key in keys) for one in self.values["credit"]]

    @property
    def answers(self) -> list[str]:
        """Outcome of every event, in the order of their days."""
        return [one["outcome"] for one in self.values["events"]]

    @property
    def last(self) -> dict[str, Any]:
        """The last event with its answer."""
        found: dict[str, Any] = self.values["events"][-1]
        return found

    @property
    def state(self) -> dict[str, Any]:
        """The contract at the end."""
        found: dict[str, Any] = self.values["state"]
        return found

    def why(self, number: int = -1) -> list[str]:
        """Messages of the refusals of an event, the last one unless told."""
        return [one["message"] for one in self.values["events"][number].get("refusals", ())]

    def limits(self, day: str) -> dict[str, int]:
        """What the tenant may have on a day."""
        return dict(self._right(day)["limits"])

    def features(self, day: str) -> list[str]:
        """What the tenant may use on a day."""
        return list(self._right(day)["features"])

    def _right(self, day: str) -> dict[str, Any]:
        found: dict[str, Any] = [one for one in self.values["rights"] if one["from"] <= day][-1]
        return found


Tell = Callable[..., Told]


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    """Tell the story of a contract: catalogue, events as YAML, and further keys of the document."""

    def told(catalogue: str, events: str, *, others: tuple[str, ...] = (), **more: str) -> Told:
        head = {"version": "1", "contract": "story", "catalogue": catalogue, **more}
        text = "".join(f"{key}: {value}\n" for key, value in head.items())
        file = tmp_path / "story.yaml"
        file.write_text(f"{text}events:\n{events}")
        arguments = [f"--catalogue={CATALOGUES / name}.yaml" for name in (catalogue, *others)]
        result = CliRunner().invoke(app, ["contract", "simulate", str(file), *arguments, "--json"])
        assert result.exit_code == 0, result.output
        return Told(json.loads(result.stdout))

    return told

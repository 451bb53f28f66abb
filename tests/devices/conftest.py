"""The pretend card as a fixture."""

from collections.abc import Iterator

import pytest

from .pretend_card import PretendCard, pretend_card


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendCard]:
    with pretend_card(monkeypatch) as made:
        yield made

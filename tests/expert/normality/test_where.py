"""Where a part differs, by finer patches than those that decide."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.parts import good, plate, scratched

from reason_iad.errors import MemoryBankError
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.encoders.base import Encoder
from reason_iad.expert.normality.area import Area
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.normality.where import Where, fine_encoder, learn_where, load_where, save_where
from reason_iad.images import load_image


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return fine_encoder(Eyes.of(make_encoder("efficientnet_lite0", None)))


@pytest.fixture(scope="module")
def where(encoder: Encoder) -> Where:
    return learn_where(good(5), encoder, one_way=True)


@pytest.mark.parametrize("at", [(30, 70), (88, 62), (84, 14)])
def test_the_highest_place_is_at_the_defect(where: Where, at: tuple[int, int]) -> None:
    values = where.values(load_image(scratched(100, at=at)).pixels)
    row, column = divmod(int(values.argmax()), values.shape[1])
    x, y = (column + 0.5) / values.shape[1] * 128, (row + 0.5) / values.shape[0] * 96
    assert at[0] - 8 <= x <= at[0] + 30 and at[1] - 8 <= y <= at[1] + 20


def test_nothing_is_found_in_an_area_that_does_not_count(encoder: Encoder) -> None:
    counts = torch.ones(96, 128).bool()
    counts[48:] = False
    where = learn_where(good(3), encoder, one_way=True, area=Area(counts.numpy()))
    values = where.values(load_image(scratched(100)).pixels)
    assert float(values[values.shape[0] * 5 // 8 :].max()) == 0


def test_it_is_the_same_after_saving_and_only_for_the_same_images(
    where: Where, encoder: Encoder, tmp_path: Path
) -> None:
    save_where(where, tmp_path)
    names = [image.sha256 for image in good(5)]
    again = load_where(tmp_path, encoder, names)
    picture = load_image(plate(9)).pixels
    torch.testing.assert_close(again.values(picture), where.values(picture))
    with pytest.raises(MemoryBankError, match="learn it anew"):
        load_where(tmp_path, encoder, names[1:])

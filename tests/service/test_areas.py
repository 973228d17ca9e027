"""Areas over HTTP: drawn in any size, kept in the size of the good pictures, taken away and undone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from tests.parts import plate, save

from reason_iad.products import Products
from reason_iad.service.api import make_app
from reason_iad.service.database import Database
from reason_iad.service.settings import Settings

AREA = "/v1/products/plate/areas/ignore"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(tmp_path / "data")
    settings.products.mkdir(parents=True)
    (tmp_path / "good").mkdir()
    save(plate(1), tmp_path / "good" / "1.png")
    Products(settings.products).create("plate", [tmp_path / "good"])
    database = Database(settings.database_url)
    database.upgrade()
    with TestClient(make_app(settings, database), base_url="http://localhost") as made:
        yield made
    database.close()


def drawn(width: int, height: int, right_half: bool = True) -> bytes:
    values = np.zeros((height, width), np.uint8)
    values[:, width // 2 :] = 255 * right_half
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("size", [(128, 96), (64, 48), (1280, 960)])
def test_an_area_has_the_size_of_the_good_pictures(client: TestClient, size: tuple[int, int]) -> None:
    assert client.get(AREA).status_code == 404
    assert client.put(AREA, content=drawn(*size)).json()["settings"]["ignore"]["width"] == 128
    kept = np.asarray(Image.open(io.BytesIO(client.get(AREA).content)).convert("L"))
    assert kept.shape == (96, 128) and (kept[:, 64:] == 255).all() and not kept[:, :64].any()


def test_an_area_is_taken_away_and_comes_back(client: TestClient) -> None:
    client.put(AREA, content=drawn(64, 48))
    assert client.delete(AREA).json()["settings"]["ignore"] is None
    assert client.post("/v1/products/plate/undo").json()["settings"]["ignore"] is not None


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"no picture", "not an image"), (drawn(64, 48, right_half=False), "Nothing is marked")],
)
def test_what_marks_nothing_is_refused(client: TestClient, content: bytes, said: str) -> None:
    answer = client.put(AREA, content=content)
    assert answer.status_code == 422 and said in answer.json()["detail"]
    assert client.get("/v1/products/plate").json()["revision"] == 1


def test_there_are_two_areas_and_no_other(client: TestClient) -> None:
    assert client.put("/v1/products/plate/areas/inspect", content=drawn(64, 48)).status_code == 200
    assert client.put("/v1/products/plate/areas/other", content=drawn(64, 48)).status_code == 422
    assert client.put("/v1/products/none/areas/ignore", content=drawn(64, 48)).status_code == 404

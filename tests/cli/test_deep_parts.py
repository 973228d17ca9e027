"""Parts with more than 8 bits on the command line: `--white`, the white of a product, and what is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tests.parts import plate, scratched

from reason_iad.cli import main


def deep(picture: np.ndarray, path: Path, white: int = 4095) -> Path:
    """A picture as a grey TIFF of 16 bits, in which `white` is white."""
    values = np.rint(np.asarray(picture)[..., 0].astype(float) / 255 * white).astype(np.uint16)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good parts, and new ones, of a camera with 12 bits."""
    root = tmp_path_factory.mktemp("deep")
    for name in ("good", "new"):
        (root / name).mkdir()
    for seed in range(12):
        deep(plate(seed), root / "good" / f"{seed}.tif")
    deep(plate(100), root / "new" / "a-good.tif")
    deep(scratched(101), root / "new" / "b-scratched.tif")
    (root / "new" / "c.cr2").touch()
    return root


def run(root: Path, *arguments: str, expect: int = 0) -> str:
    found = CliRunner(env={"REASON_IAD_PRODUCTS": str(root / "products"), "REASON_IAD_CACHE": str(root)}).invoke(
        main, arguments
    )
    assert found.exit_code == expect, found.output
    return found.output


def test_parts_are_judged_with_the_white_of_their_product(folder: Path) -> None:
    run(folder, "product", "create", "plate", "--good", str(folder / "good"), "--resolution", "128")
    assert "4095, in images with more than 8 bits" in run(folder, "product", "show", "plate")
    said = run(folder, "inspect", str(folder / "new"), "--product", "plate", "--method", "detect", expect=4)
    assert "Left out: 1 image of a format that cannot be read (c.cr2)." in said
    assert "2 images: Values were scaled from 0..4095 to 8 bits, as it was set." in said
    part = str(folder / "new" / "a-good.tif")
    said = run(folder, "inspect", part, "--product", "plate", "--method", "detect", "--white", "9", expect=2)
    assert "product set NAME --white VALUE" in said
    assert "Set white: 3000." in run(folder, "product", "set", "plate", "--white", "3000")
    said = run(folder, "inspect", part, "--product", "plate", "--method", "detect", "--json", "-", "--quiet")
    assert json.loads(said)["image"]["white"] == 3000


def test_good_parts_without_a_product_say_the_white(folder: Path) -> None:
    good = [str(folder / "good" / f"{seed}.tif") for seed in range(4)]
    part = str(folder / "new" / "b-scratched.tif")
    for given, white in (((), 4095), (("--white", "5000"), 5000)):
        found = CliRunner(env={"REASON_IAD_CACHE": str(folder)}).invoke(
            main, ["inspect", part, "--reference", *good, "--method", "detect", "--json", "-", "--quiet", *given]
        )
        assert found.exit_code in (1, 4), found.output
        assert json.loads(found.output)["image"]["white"] == white

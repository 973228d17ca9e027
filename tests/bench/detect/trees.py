"""Tiny detection sets of every layout, drawn on the spot."""

from __future__ import annotations

import csv
import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (24, 20)  # width, height


def picture(path: Path, seed: int | None = None, size: tuple[int, int] = SIZE, spot: bool = False) -> Path:
    """A grey plate with texture; the same seed (by default, of the path) is the same file. A spot is a defect."""
    if seed is None:
        seed = zlib.crc32("/".join(path.parts[-4:]).encode())
    pixels = 90 + np.random.default_rng(seed).integers(-9, 10, (size[1], size[0], 3))
    if spot:
        pixels[6:12, 6:12] = 250
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def mask(
    path: Path, value: int = 255, size: tuple[int, int] = SIZE, box: tuple[int, int, int, int] = (6, 6, 12, 12)
) -> Path:
    """A mask with one rectangle (x1, y1, x2, y2) of a value; 0 leaves it empty."""
    pixels = np.zeros((size[1], size[0]), np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def header(path: Path, side: int) -> Path:
    """A grey PNG that claims a size, and ends where its pixels would begin."""
    size = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    ended = struct.pack(">I", zlib.crc32(size))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + size + ended + struct.pack(">I", 99) + b"IDAT")
    return path


def mvtec(
    root: Path, categories: Sequence[str] = ("nut", "tile"), suffix: str = ".png", mask_end: str = "_mask"
) -> Path:
    """Three normal images to learn from, two normal and two scratched ones to judge."""
    for category in categories:
        for i in range(3):
            picture(root / category / "train/good" / f"{i:03}{suffix}")
        for i in range(2):
            picture(root / category / "test/good" / f"{i:03}{suffix}")
            picture(root / category / "test/scratch" / f"{i:03}{suffix}", spot=True)
            mask(root / category / "ground_truth/scratch" / f"{i:03}{mask_end}.png")
    return root


def goodsad(root: Path) -> Path:
    """MVTec's tree with JPEG images and masks named like them."""
    return mvtec(root, ("box",), ".jpg", "")


def loco(root: Path) -> Path:
    """One category with two kinds; the logical one has two mask files per image, one over the other."""
    folder = root / "pins"
    for split, count in (("train", 3), ("validation", 1), ("test", 2)):
        for i in range(count):
            picture(folder / split / "good" / f"{i:03}.png")
    for kind in ("logical_anomalies", "structural_anomalies"):
        for i in range(2):
            picture(folder / "test" / kind / f"{i:03}.png", spot=True)
            mask(folder / "ground_truth" / kind / f"{i:03}/000.png", 250)
    for i in range(2):
        mask(folder / f"ground_truth/logical_anomalies/{i:03}/001.png", 251, box=(8, 8, 16, 16))
    defects = [
        {"defect_name": "missing", "pixel_value": 250, "saturation_threshold": 9, "relative_saturation": False},
        {"defect_name": "extra", "pixel_value": 251, "saturation_threshold": 0.5, "relative_saturation": True},
    ]
    (folder / "defects_config.json").write_text(json.dumps(defects))
    return root


def table(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def visa(root: Path) -> Path:
    """One object; masks have small values."""
    rows: list[list[str]] = [["object", "split", "label", "image", "mask"]]
    for i in range(5):
        image = picture(root / f"candle/Data/Images/Normal/{i:04}.JPG")
        rows.append(["candle", "train" if i < 3 else "test", "normal", image.relative_to(root).as_posix(), ""])
    for i in range(2):
        image = picture(root / f"candle/Data/Images/Anomaly/{i:03}.JPG", spot=True)
        truth = mask(root / f"candle/Data/Masks/Anomaly/{i:03}.png", value=i + 1)
        paths = [path.relative_to(root).as_posix() for path in (image, truth)]
        rows.append(["candle", "test", "anomaly", *paths])
    table(root / "split_csv/1cls.csv", rows)
    return root


def manifest(root: Path) -> Path:
    """MVTec's tree with a manifest, and a template for every test image."""
    mvtec(root, ("board",))
    rows: list[list[object]] = [["split", "image", "template", "mask", "label", "defect_types"]]
    for path in sorted(root.glob("board/t*/*/*.png")):
        image, bad = path.relative_to(root).as_posix(), path.parent.name != "good"
        truth = image.replace("test", "ground_truth").replace(".png", "_mask.png") if bad else ""
        template = ""
        if "test" in image:
            template = image.replace("test", "template").replace("/scratch", "/s").replace("/good", "/g")
            picture(root / template)
        kinds = ("scratch", "scratch;spot")[path.stem == "001"] if bad else ""
        rows.append(["test" if template else "train", image, template, truth, int(bad), kinds])
    table(root / "manifest.csv", rows)
    return root


def folder(root: Path) -> Path:
    """`good/` and two kinds of defects, one of them with masks."""
    for i in range(8):
        picture(root / "good" / f"{i}.png")
    for kind in ("dent", "stain"):
        picture(root / kind / "0.png", spot=True)
        mask(root / "ground_truth" / kind / "0.png")
    return root


def flat(root: Path) -> Path:
    """All images in one folder, told apart by their names."""
    for i in range(6):
        picture(root / f"ok_{i}.png")
    picture(root / "ng_0.png", spot=True)
    return root


def visa_folders(root: Path) -> Path:
    """VisA as its archive has it, without the list."""
    visa(root)
    (root / "split_csv/1cls.csv").unlink()
    (root / "split_csv").rmdir()
    return root


def mvtec2(root: Path) -> Path:
    """MVTec AD 2 as published: one kind of defect, masks among the test images, private parts without labels."""
    for split, count in (("train", 3), ("validation", 1), ("test_public", 2)):
        for i in range(count):
            picture(root / "can" / split / "good" / f"{i:03}_regular.png")
    for i in range(2):
        picture(root / f"can/test_public/bad/{i:03}_regular.png", spot=True)
        mask(root / f"can/test_public/ground_truth/bad/{i:03}_regular_mask.png")
        picture(root / f"can/test_private/{i:03}_regular.png")
        picture(root / f"can/test_private_mixed/{i:03}_mixed.png")
    return root


def realiad(root: Path) -> Path:
    """Real-IAD as published: one resolution, lists for several and for single views; one noisy training image."""
    entries: dict[str, list[dict[str, object]]] = {"train": [], "test": []}

    def add(split: str, kind: str, number: int) -> None:
        side = "OK" if kind == "OK" else f"NG/{kind}"
        path = f"{side}/S{number:04}/audiojack_{number:04}_{kind}_C1_20230101"
        picture(root / f"realiad_256/audiojack/{path}.jpg", spot=kind != "OK")
        if kind != "OK":
            mask(root / f"realiad_256/audiojack/{path}.png")
        entries[split].append({
            "category": "audiojack", "anomaly_class": kind, "image_path": f"{path}.jpg",
            "mask_path": None if kind == "OK" else f"{path}.png",
        })  # fmt: skip

    for number in range(3):
        add("train", "OK", number)
    for number in range(2):
        add("test", "OK", 10 + number)
        add("test", "BX", 20 + number)
    add("train", "BX", 30)
    meta = {"prefix": "audiojack/", "normal_class": "OK", "pre_transform": None}
    for name in ("realiad_jsons", "realiad_jsons_sv"):
        path = root / "realiad_jsons" / name / "audiojack.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"meta": meta, **entries}))
    return root


def ksdd(root: Path) -> Path:
    """KolektorSDD as published: a folder per part, a mask beside every image."""
    for part in range(1, 7):
        for i in range(2):
            bad = part > 4 and i == 1
            picture(root / f"kos{part:02}/Part{i}.jpg", spot=bad)
            mask(root / f"kos{part:02}/Part{i}_label.bmp", 255 if bad else 0)
    return root


def ksdd2(root: Path) -> Path:
    """KolektorSDD2 as published: a mask beside every image; one training image is defective."""
    for split, first, count in (("train", 10000, 5), ("test", 20000, 4)):
        for i in range(count):
            bad = i in ((4,) if split == "train" else (2, 3))
            picture(root / split / f"{first + i}.png", spot=bad)
            mask(root / split / f"{first + i}_GT.png", 255 if bad else 0)
    return root


def dagm(root: Path) -> Path:
    """DAGM 2007 as published: masks for the defective images alone; one training image is defective."""
    for split, count in (("Train", 5), ("Test", 4)):
        folder, lines = root / "Class1" / split, ["1"]
        for i in range(1, count + 1):
            bad = i in ((5,) if split == "Train" else (3, 4))
            picture(folder / f"{i:04}.PNG", spot=bad)
            lines.append(f"{i}\t{int(bad)}\t{i:04}.PNG\t{int(bad)}\t{f'{i:04}_label.PNG' if bad else 0}")
            if bad:
                mask(folder / f"Label/{i:04}_label.PNG")
        (folder / "Label/Labels.txt").write_text("\n".join(lines) + "\n")
    return root


TREES = {
    "mvtec": mvtec, "goodsad": goodsad, "loco": loco, "mvtec2": mvtec2, "visa": visa, "realiad": realiad,
    "ksdd": ksdd, "ksdd2": ksdd2, "dagm": dagm, "folder": folder, "csv": manifest,
}  # fmt: skip
"""Layout to what draws it; a reader that is added needs one here."""

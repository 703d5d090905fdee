"""Small data sets in the layouts of the published ones: real tables, and real photos of a few pixels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from makers.photos import save_photo
from openpyxl import Workbook
from scipy.io import savemat


def photos(folder: Path, names: Iterable[str]) -> None:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save_photo(folder / name, seed=seed, size=(16, 12))


def table(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def koniq(root: Path) -> Path:
    """KonIQ-10k with the official split: the first rows of the published table."""
    table(
        root / "koniq10k_distributions_sets.csv",
        "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set",
        "10004473376.jpg,0.0,0.0,0.238095238095,0.695238095238,0.0666666666667,105,77.3836206897,0.527,training",
        "10007357496.jpg,0.0,0.03125,0.46875,0.489583333333,0.0104166666667,96,68.7285714286,0.580,test",
        "10043785683.jpg,0.0,0.0,0.433962264151,0.566037735849,0.0,106,71.2043269231,0.498,validation",
    )
    photos(root / "512x384", ("10004473376.jpg", "10007357496.jpg", "10043785683.jpg"))
    return root


def koniq_without_sets(root: Path) -> Path:
    table(
        root / "koniq10k_scores_and_distributions.csv",
        '"image_name","c1","c2","c3","c4","c5","c_total","MOS","SD","MOS_zscore"',
        '"10004473376.jpg",0,0,25,73,7,105,3.82857142857143,0.527277894493898,77.3836206896552',
    )
    photos(root / "1024x768", ("10004473376.jpg",))
    return root


def clive(root: Path, mos: Iterable[float] = (90, 80, 70, 60, 50, 40, 30, 63.9634, 25.3353)) -> Path:
    """CLIVE: the seven photos of the raters' training, and two."""
    mos = list(mos)
    names = [f"t{number}.bmp" for number in range(1, 8)] + ["3.bmp", "1169.JPG"]
    (root / "Data").mkdir(parents=True)
    cells = np.array([[name] for name in names], dtype=object)
    savemat(root / "Data" / "AllImages_release.mat", {"AllImages_release": cells})
    savemat(root / "Data" / "AllMOS_release.mat", {"AllMOS_release": np.array([mos], dtype=float)})
    photos(root / "Images", [f"trainingImages/{name}" for name in names[:7]] + names[7:])
    return root


def flive(root: Path) -> Path:
    """FLIVE with its three tables."""
    names = ("blur_dataset/motion0044.jpg", "voc_emotic_ava/AVA__1.jpg", "EE371R/rq59.jpg")
    mos = ("75.44372347614072", "0.0", "58.65")
    database = root / "database"
    rows = (",".join(row) for row in zip(names, mos, strict=True))
    table(database / "labels_image.csv", "name,mos", *rows)
    table(database / "labels640.csv", "mos_image,name_image,width_image", f"58.65,{names[2]},1200")
    table(
        database / "labels=640_padded.csv",
        "name_image,mos_image,is_valid",
        f"{names[0]},75.4,False",
        f"{names[1]},0.0,True",
    )
    photos(database, names)
    return root


def spaq(root: Path, second_mos: object = 42.0) -> Path:
    workbook = Workbook()
    sheet = workbook.active
    sheet.append(["Image name", "MOS", "Brightness", "Colorfulness", "Contrast", "Noisiness", "Sharpness"])
    sheet.append(["00001.jpg", 68.93, 62.3, 59.3, 59.0, 66.6, 66.9])
    sheet.append(["00002.jpg", second_mos, 1, 2, 3, 4, 5])
    sheet.append([None] * 7)
    (root / "Annotations").mkdir(parents=True)
    workbook.save(root / "Annotations" / "MOS and Image attribute scores.xlsx")
    photos(root / "TestImage", ("00001.jpg", "00002.jpg"))
    return root


def pyiqa_datasets(root: Path) -> Path:
    """All four, as pyiqa 0.1.16 lays them out."""
    meta = root / "meta_info"
    table(
        meta / "meta_info_KonIQ10kDataset.csv",
        "img_name,mos,std,official_split",
        "10004473376.jpg,77.38,0.527,train",
        "10007357496.jpg,68.73,0.580,test",
    )
    photos(root / "koniq10k" / "512x384", ("10004473376.jpg", "10007357496.jpg"))
    training = [f"Images/trainingImages/t{number}.bmp" for number in range(1, 8)]
    table(
        meta / "meta_info_LIVEChallengeDataset.csv",
        "img_name,mos,std,ratio802_seed123_split_01",
        *(f"{name},50,9,train" for name in training),
        "3.bmp,63.9634,18,val",
        "Images/4.bmp,25.3353,17,train",
    )
    photos(root / "LIVEC", [*training, "Images/3.bmp", "Images/4.bmp"])
    table(
        meta / "meta_info_FLIVEDataset.csv",
        "img_name/patch_name,mos,official_split",
        "EE371R/rq59.jpg,58.65,test",
        "patches/rq59.jpg_patch_1.jpg,51,test",
    )
    photos(root / "FLIVE_Database" / "database", ("EE371R/rq59.jpg",))
    table(meta / "meta_info_SPAQDataset.csv", "Image name,MOS,Brightness", "00001.jpg,68.93,62.3")
    photos(root / "SPAQ" / "TestImage", ("00001.jpg",))
    return root

"""Writes scikit-learn's handwritten digits as PNG class folders `train/` and `test/`.

    python make_data.py FOLDER

Images are enlarged from 8x8 to 16x16 pixels. Every fifth digit is for the test. The same files come
out every time.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def main(folder: Path) -> None:
    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    for i, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
        target = folder / ("test" if i % 5 == 0 else "train") / str(label)
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).resize((16, 16)).save(target / f"{i:04}.png")
    print(f"{len(pixels)} images of 10 classes in {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_data.py FOLDER")
    main(Path(sys.argv[1]))

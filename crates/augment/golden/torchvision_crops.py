"""Draws 20,000 crops from torchvision's RandomResizedCrop and writes their quantiles to torchvision_crops.txt.

Run by hand with torchvision 0.28.0 and torch 2.13.0.
"""

from pathlib import Path

import numpy as np
import torch
from torchvision.transforms import RandomResizedCrop

torch.manual_seed(0)
lines = []
for width, height in ((500, 375),):
    image = torch.zeros(3, height, width)
    draws = [RandomResizedCrop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3)) for _ in range(20_000)]
    y, x, h, w = np.array(draws).T
    for name, values in (("area", w * h), ("height", h), ("width", w), ("top", y), ("left", x)):
        quantiles = np.quantile(values, np.arange(21) / 20, method="inverted_cdf")
        lines.append(" ".join(map(str, [width, height, name, *quantiles.astype(int)])))
(Path(__file__).parent / "torchvision_crops.txt").write_text("\n".join(lines) + "\n")

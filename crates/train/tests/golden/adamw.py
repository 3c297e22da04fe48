"""Writes adamw.json: parameters after 20 updates of the study's AdamW, from NumPy in float64.

Written after `make` in big_vision optax.py: clip by global norm, adam, times learning rate, plus
decay on kernels, times schedule. Run: python3 adamw.py (needs numpy only).
"""
import json
import numpy as np

N, KERNELS, STEPS, WARMUP = 1033, 872, 20, 5
LR, WD, B1, B2, EPS, CLIP = 1e-2, 0.1, 0.9, 0.999, 1e-8, 1.0

i = np.arange(N)
theta = 0.5 * np.sin(0.7 * i)
decayed = i < KERNELS
m, v = np.zeros(N), np.zeros(N)
norms = []
for t in range(STEPS):
    g = (1.0 if t % 3 == 0 else 0.01) * np.sin(0.3 * i + t)
    norm = np.sqrt((g**2).sum())
    norms.append(norm)
    g = g if norm < CLIP else g / norm * CLIP
    m = B1 * m + (1 - B1) * g
    v = B2 * v + (1 - B2) * g**2
    update = (m / (1 - B1 ** (t + 1))) / (np.sqrt(v / (1 - B2 ** (t + 1))) + EPS)
    update = LR * update + (LR * WD) * theta * decayed
    progress = np.clip((t - WARMUP) / (STEPS - WARMUP), 0, 1)
    theta = theta - 0.5 * (1 + np.cos(np.pi * progress)) * min(1, t / WARMUP) * update
with open("adamw.json", "w") as file:
    json.dump({"norms": norms, "every_40th": theta[::40].tolist()}, file, indent=1)
    file.write("\n")

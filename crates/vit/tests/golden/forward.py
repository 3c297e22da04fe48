"""Writes forward.json: logits and directional derivatives of a tiny ViT, from NumPy in float64.

Written after vit_jax/models_vit.py, with none of the crate's shortcuts: patches are cut in loops,
q, k and v are projected one by one, every token goes through every layer. Derivatives are central
differences. Run: python3 forward.py (needs numpy only).
"""
import json, math
import numpy as np

D, L, M, H, P, C, R, K, B = 8, 3, 12, 2, 4, 3, 12, 5, 2
N = (R // P) ** 2


def shapes():
    yield "patch_embed.proj.weight", (D, C, P, P)
    yield "patch_embed.proj.bias", (D,)
    yield "cls_token", (1, 1, D)
    yield "pos_embed", (1, N + 1, D)
    for i in range(L):
        for name, shape in [
            ("norm1.weight", (D,)), ("norm1.bias", (D,)),
            ("attn.qkv.weight", (3 * D, D)), ("attn.qkv.bias", (3 * D,)),
            ("attn.proj.weight", (D, D)), ("attn.proj.bias", (D,)),
            ("norm2.weight", (D,)), ("norm2.bias", (D,)),
            ("mlp.fc1.weight", (M, D)), ("mlp.fc1.bias", (M,)),
            ("mlp.fc2.weight", (D, M)), ("mlp.fc2.bias", (D,)),
        ]:
            yield f"blocks.{i}.{name}", shape
    yield "norm.weight", (D,)
    yield "norm.bias", (D,)
    yield "head.weight", (K, D)
    yield "head.bias", (K,)


def fill(shape, phase, scale):
    n = math.prod(shape)
    return (scale * np.sin(0.7 * np.arange(n) + phase)).reshape(shape)


def norm(x, w, b):
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-6) * w + b


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def forward(p, images):
    tokens = np.zeros((B, N, D))
    for b in range(B):
        for r in range(R // P):
            for c in range(R // P):
                patch = images[b, :, r * P:(r + 1) * P, c * P:(c + 1) * P]
                for d in range(D):
                    tokens[b, r * (R // P) + c, d] = (patch * p["patch_embed.proj.weight"][d]).sum()
    tokens += p["patch_embed.proj.bias"]
    x = np.concatenate([np.broadcast_to(p["cls_token"], (B, 1, D)), tokens], 1) + p["pos_embed"]
    for i in range(L):
        t = lambda name: p[f"blocks.{i}.{name}"]
        y = norm(x, t("norm1.weight"), t("norm1.bias"))
        q, k, v = [
            (y @ t("attn.qkv.weight")[j * D:(j + 1) * D].T + t("attn.qkv.bias")[j * D:(j + 1) * D])
            .reshape(B, N + 1, H, D // H) for j in range(3)
        ]
        scores = np.einsum("bqhe,bkhe->bhqk", q, k) / math.sqrt(D // H)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        weights = scores / scores.sum(-1, keepdims=True)
        y = np.einsum("bhqk,bkhe->bqhe", weights, v).reshape(B, N + 1, D)
        x = x + y @ t("attn.proj.weight").T + t("attn.proj.bias")
        y = norm(x, t("norm2.weight"), t("norm2.bias"))
        y = gelu(y @ t("mlp.fc1.weight").T + t("mlp.fc1.bias"))
        x = x + y @ t("mlp.fc2.weight").T + t("mlp.fc2.bias")
    x = norm(x, p["norm.weight"], p["norm.bias"])[:, 0]
    return x @ p["head.weight"].T + p["head.bias"]


def loss(p, images):
    """Half the mean square of the logits."""
    return 0.5 * (forward(p, images) ** 2).mean()


parameters = {
    name: fill(shape, len(name), 0.4) + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
    for name, shape in shapes()
}
images = fill((B, C, R, R), 0.5, 1.0)
derivatives = {}
for name, shape in shapes():
    direction = fill(shape, 2.0, 1.0)
    at = lambda h: loss({**parameters, name: parameters[name] + h * direction}, images)
    derivatives[name] = (at(1e-5) - at(-1e-5)) / 2e-5
with open("forward.json", "w") as file:
    golden = {"logits": forward(parameters, images).reshape(-1).tolist(), "derivatives": derivatives}
    json.dump(golden, file, indent=1)
    file.write("\n")

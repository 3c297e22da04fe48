"""Writes optax_vit.json: parameters of a tiny ViT after 50 steps under optax, in 32-bit floats.

The network is written after vit_jax/models_vit.py, the chain of transforms after `make` in big_vision
optax.py. Four optimizers: AdamW and SGD with momentum, each with its moment in fp32 and in bf16.
Run: python3 optax_vit.py (needs jax and optax; the file says which versions wrote it).
"""
import json
import math
import jax
import jax.numpy as jnp
import numpy as np
import optax

D, L, M, H, P, C, R, K, B = 8, 3, 12, 2, 4, 3, 12, 5, 4
N = (R // P) ** 2
STEPS, WARMUP, EARLY = 50, 5, 4
LR, WD, SGD_LR = 1e-2, 0.1, 3e-2
KERNELS = [("patch_embed.proj.weight", (D, C, P, P))]
for i in range(L):
    KERNELS += [
        (f"blocks.{i}.attn.qkv.weight", (3 * D, D)), (f"blocks.{i}.attn.proj.weight", (D, D)),
        (f"blocks.{i}.mlp.fc1.weight", (M, D)), (f"blocks.{i}.mlp.fc2.weight", (D, M)),
    ]
KERNELS += [("head.weight", (K, D))]
OTHERS = [("patch_embed.proj.bias", (D,)), ("cls_token", (1, 1, D)), ("pos_embed", (1, N + 1, D))]
for i in range(L):
    OTHERS += [(f"blocks.{i}.{name}", shape) for name, shape in [
        ("norm1.weight", (D,)), ("norm1.bias", (D,)), ("attn.qkv.bias", (3 * D,)),
        ("attn.proj.bias", (D,)), ("norm2.weight", (D,)), ("norm2.bias", (D,)),
        ("mlp.fc1.bias", (M,)), ("mlp.fc2.bias", (D,)),
    ]]
OTHERS += [("norm.weight", (D,)), ("norm.bias", (D,)), ("head.bias", (K,))]


def fill(shape, phase, scale):
    n = math.prod(shape)
    return (scale * np.sin(0.7 * np.arange(n) + phase)).reshape(shape).astype(np.float32)


def initial():
    scale = lambda name: 1.0 if "norm" in name and name.endswith("weight") else 0.0
    return {name: jnp.asarray(fill(shape, len(name), 0.4) + np.float32(scale(name)))
            for name, shape in KERNELS + OTHERS}


def norm(x, w, b):
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(var + 1e-6) * w + b


def forward(p, images):
    x = images.reshape(B, C, R // P, P, R // P, P).transpose(0, 2, 4, 1, 3, 5).reshape(B, N, C * P * P)
    x = x @ p["patch_embed.proj.weight"].reshape(D, -1).T + p["patch_embed.proj.bias"]
    x = jnp.concatenate([jnp.broadcast_to(p["cls_token"], (B, 1, D)), x], 1) + p["pos_embed"]
    for i in range(L):
        t = lambda name: p[f"blocks.{i}.{name}"]
        y = norm(x, t("norm1.weight"), t("norm1.bias")) @ t("attn.qkv.weight").T + t("attn.qkv.bias")
        q, k, v = [part.reshape(B, N + 1, H, D // H) for part in jnp.split(y, 3, -1)]
        weights = jax.nn.softmax(jnp.einsum("bqhe,bkhe->bhqk", q, k) / math.sqrt(D // H))
        y = jnp.einsum("bhqk,bkhe->bqhe", weights, v).reshape(B, N + 1, D)
        x = x + y @ t("attn.proj.weight").T + t("attn.proj.bias")
        y = norm(x, t("norm2.weight"), t("norm2.bias")) @ t("mlp.fc1.weight").T + t("mlp.fc1.bias")
        x = x + jax.nn.gelu(y, approximate=True) @ t("mlp.fc2.weight").T + t("mlp.fc2.bias")
    return norm(x, p["norm.weight"], p["norm.bias"])[:, 0] @ p["head.weight"].T + p["head.bias"]


def loss(p, images, labels):
    logits = forward(p, images)
    return optax.sigmoid_binary_cross_entropy(logits, jax.nn.one_hot(labels, K)).sum(-1).mean()


def schedule(t):
    progress = jnp.clip((t - WARMUP) / (STEPS - WARMUP), 0.0, 1.0)
    return 0.5 * (1.0 + jnp.cos(jnp.pi * progress)) * jnp.minimum(1.0, t / WARMUP)


def adamw(dtype):
    decayed = {name: name in dict(KERNELS) for name, _ in KERNELS + OTHERS}
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(0.9, 0.999, 1e-8, mu_dtype=dtype),
        optax.scale(LR),
        optax.add_decayed_weights(LR * WD, mask=decayed),
        optax.scale_by_schedule(schedule),
        optax.scale(-1.0),
    )


def sgd(dtype):
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.trace(0.9, accumulator_dtype=dtype),
        optax.scale_by_schedule(schedule),
        optax.scale(-SGD_LR),
    )


def train(optimizer):
    p = initial()
    state = optimizer.init(p)

    @jax.jit
    def step(p, state, images, labels):
        value, gradient = jax.value_and_grad(loss)(p, images, labels)
        updates, state = optimizer.update(gradient, state, p)
        return optax.apply_updates(p, updates), state, value

    losses, early = [], None
    flat = lambda: np.concatenate([np.asarray(p[name]).reshape(-1) for name, _ in KERNELS + OTHERS])
    every_7th = lambda: [float(x) for x in flat()[::7]]
    for t in range(STEPS):
        images = jnp.asarray(fill((B, C, R, R), 0.5 + t, 1.0))
        labels = jnp.asarray([(t + b) % K for b in range(B)])
        p, state, value = step(p, state, images, labels)
        losses.append(float(value))
        if t + 1 == EARLY:
            early = every_7th()
    largest = float(abs(flat()).max())
    return {"losses": losses[::10], "early": early, "every_7th": every_7th(), "largest": largest}


result = {"jax": jax.__version__, "optax": optax.__version__}
for name, make in [("adamw", adamw), ("sgd", sgd)]:
    for dtype in ["fp32", "bf16"]:
        result[f"{name}_{dtype}"] = train(make(jnp.bfloat16 if dtype == "bf16" else None))
with open("optax_vit.json", "w") as file:
    json.dump(result, file, indent=1)
    file.write("\n")

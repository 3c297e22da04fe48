"""The peer of `scripts/bench train-step`: timm's ViT, trained as an augreg job trains, in plain PyTorch.

Takes the task as JSON, prints what it measured as JSON. Batches are slices of one tensor that is ready in
memory before the clock starts, so the peer pays nothing for its data.
"""

import json
import math
import os
import resource
import sys
import time
from functools import partial

# The CUDA libraries that PyTorch is linked with may be empty stand-ins (scripts/setup.d/timm.sh).
sys.setdlopenflags(os.RTLD_LAZY)

import timm.layers
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional


def network(task: dict) -> VisionTransformer:
    """The model of the job, with dropout and stochastic depth where the study has them."""
    rate = task["regularization"]
    return VisionTransformer(
        img_size=task["resolution"],
        patch_size=task["patch"],
        in_chans=1,
        num_classes=task["classes"],
        global_pool="token",
        embed_dim=task["width"],
        depth=task["depth"],
        num_heads=task["heads"],
        mlp_ratio=task["mlp"] / task["width"],
        act_layer=partial(nn.GELU, approximate="tanh"),
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        drop_rate=0.0,  # timm's name for dropout before the head, which the study has not
        pos_drop_rate=rate,
        proj_drop_rate=rate,
        attn_drop_rate=0.0,
        drop_path_rate=rate,
    )


def factor(step: int, warmup: int, steps: int) -> float:
    """big_vision's schedule: linear warm-up, cosine to 0."""
    progress = min(max((step - warmup) / max(steps - warmup, 1), 0.0), 1.0)
    return 0.5 * (1 + math.cos(math.pi * progress)) * min(1.0, step / max(warmup, 1))


def train(task: dict) -> dict[str, float]:
    """Trains one model; the steps after the warm-up count."""
    torch.manual_seed(task["seed"])
    warm_up, count, batch = task["warm_up"], task["steps"], task["batch_size"]
    steps = warm_up + count
    model = network(task).train()
    kernels = [p for name, p in model.named_parameters() if name.endswith("weight") and p.ndim > 1]
    decayed = {id(p) for p in kernels}
    others = [p for p in model.parameters() if id(p) not in decayed]
    groups = [{"params": kernels, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=task["learning_rate"], fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, partial(factor, warmup=steps // 5, steps=steps)
    )
    side = task["resolution"]
    images = torch.rand(steps * batch, 1, side, side) * 2 - 1
    classes = torch.randint(task["classes"], (steps * batch,))
    labels = functional.one_hot(classes, task["classes"]).float()
    forward = torch.compile(model) if task["way"].startswith("compiled") else model
    autocast = partial(torch.autocast, "cpu", torch.bfloat16, enabled=task["precision"] == "bf16")
    start = 0.0
    for step in range(steps):
        if step == warm_up:
            start = time.perf_counter()
        part = slice(step * batch, (step + 1) * batch)
        with autocast():
            logits = forward(images[part])
        loss = functional.binary_cross_entropy_with_logits(logits.float(), labels[part], reduction="sum")
        optimizer.zero_grad(set_to_none=True)
        (loss / batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    seconds = time.perf_counter() - start
    if not math.isfinite(loss.item()):
        sys.exit("the peer's loss is not finite: it does not train what augreg trains")
    return {
        "images_per_second": count * batch / seconds,
        "parameters": sum(p.numel() for p in model.parameters()),
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main() -> None:
    task = json.loads(sys.argv[1])
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    timm.layers.set_fused_attn(task["way"].endswith("fused"))
    print(json.dumps(train(task)))


if __name__ == "__main__":
    main()

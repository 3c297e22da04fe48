"""The peer of `scripts/bench train-step`: timm's ViT, trained as an augreg job trains, in plain PyTorch.

Takes the task as JSON, prints what was measured per attention as JSON. Batches are slices of tensors
that are ready in memory before the clock starts, so the peer pays nothing for its data.
"""

import json
import math
import sys
import time
from functools import partial
from pathlib import Path

import timm.layers
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

WARM_UP_STEPS = 3  # not counted; the schedule has its own warm-up


def batches(task: dict) -> list[tuple[Tensor, Tensor]]:
    """The training images in a random order, pixels in [-1, 1], labels as distributions."""
    count, size = task["steps"] * task["batch_size"], task["resolution"]
    pixels = (Path(task["data"]) / "train-images-idx3-ubyte").read_bytes()
    labels = (Path(task["data"]) / "train-labels-idx1-ubyte").read_bytes()
    images = torch.frombuffer(bytearray(pixels), dtype=torch.uint8, offset=16)
    classes = torch.frombuffer(bytearray(labels), dtype=torch.uint8, offset=8)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(task["seed"]))
    x = images.view(-1, 1, size, size)[order].float() / 127.5 - 1
    y = functional.one_hot(classes[order].long(), task["classes"]).float()
    return list(zip(x.split(task["batch_size"]), y.split(task["batch_size"]), strict=True))


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


def train(task: dict, data: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Trains one model; the steps after WARM_UP_STEPS count.

    Returns images a second, the share of a core that the process got meanwhile (below 1 when
    something else kept the machine busy), and the number of parameters.
    """
    torch.manual_seed(task["seed"])
    model = network(task).train()
    kernels = [p for name, p in model.named_parameters() if name.endswith("weight") and p.ndim > 1]
    decayed = {id(p) for p in kernels}
    others = [p for p in model.parameters() if id(p) not in decayed]
    groups = [{"params": kernels, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=task["learning_rate"], fused=True)
    # A second time over the first batches, so that as many steps count as augreg runs.
    data = data[:WARM_UP_STEPS] + data
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, partial(factor, warmup=len(data) // 5, steps=len(data))
    )
    start = used = 0.0
    for step, (x, y) in enumerate(data):
        if step == WARM_UP_STEPS:
            start, used = time.perf_counter(), time.process_time()
        logits = model(x)
        loss = functional.binary_cross_entropy_with_logits(logits, y, reduction="sum") / len(x)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    seconds, used = time.perf_counter() - start, time.process_time() - used
    if not math.isfinite(loss.item()):
        sys.exit("the peer's loss is not finite: it does not train what augreg trains")
    images = task["steps"] * task["batch_size"]
    parameters = sum(p.numel() for p in model.parameters())
    return {"images_per_second": images / seconds, "share": used / seconds, "parameters": parameters}


def main() -> None:
    task = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    data = batches(task)
    measured = {}
    for attention in task["attentions"]:
        timm.layers.set_fused_attn(attention == "fused")
        measured[attention] = train(task, data)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()

"""Networks and files against timm's, model by model, with random weights that are nowhere zero.

For each model of the study timm makes the weights. `augreg import` turns them into AugReg's npz, which
timm's own loader reads, and that back into safetensors, which timm loads with strict=True: both must be
the weights timm had, bit by bit. The program `gradients` answers to the same images as timm does; logits
and the gradients of half their mean square are compared. At 384 the position embeddings are compared
with SciPy's zoom, and some networks as a whole.

timm is set to the study's arithmetic first: tanh GELU, epsilons of 1e-6, kernels standardised by
(w - mean) / (std + 1e-5).

Where a ReLU's input is within rounding of 0, rounding decides whether a gradient passes, so the gradients
of a ResNet agree only where that happens to no activation. Of the ten million of a hybrid at 224 it
happens to some (timm in 32 bits and in 64 differ by 4e-2), of the few thousands of one small image mostly
to none. So tensors of the ResNet are compared on small images, of which the first few may be unlucky; all
other tensors, and the logits, at the full size.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

# The CUDA libraries that PyTorch is linked with may be empty stand-ins (scripts/setup.d/timm.sh): what is
# missing in them is looked up only when it is called, which nothing here does.
sys.setdlopenflags(os.RTLD_LAZY)

import numpy as np
import scipy.ndimage
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("AUGREG_BIN", REPOSITORY / "target/debug"))
BATCH = 2

# What both sides may differ by in 32-bit floats.
LOGITS = 2e-4  # absolute
GRADIENTS = 1e-3  # of the largest value of the same tensor's gradient
POSITIONS = 1e-6  # absolute

# Side of the small images for the ResNets' gradients, and how many are tried.
SMALL = 64
DRAWS = 8


@dataclass(frozen=True)
class Model:
    """A model under the study's name and timm's, and whether it is compared as a whole at 384 too."""

    name: str
    timm: str
    large: bool = False


# The smallest first: a mistake shows within seconds.
MODELS = [
    Model("R+Ti/16", "vit_tiny_r_s16_p8_{}", large=True),
    Model("Ti/16", "vit_tiny_patch16_{}", large=True),
    Model("S/32", "vit_small_patch32_{}"),
    Model("S/16", "vit_small_patch16_{}"),
    Model("R26+S/32", "vit_small_r26_s32_{}", large=True),
    Model("B/32", "vit_base_patch32_{}"),
    Model("B/16", "vit_base_patch16_{}"),
    Model("B/8", "vit_base_patch8_{}"),
    Model("L/16", "vit_large_patch16_{}"),
    Model("R50+L/32", "vit_large_r50_s32_{}"),
]


def fail(what: str) -> NoReturn:
    sys.exit(f"error: {what}")


def run(*command: object) -> str:
    """Runs a program and returns its standard output; what it says when it fails ends the test."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        fail(f"{command[0]} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def augreg_import(file: Path, *arguments: object) -> dict:
    """What `augreg import` finds in a file, and writes where it is told to."""
    found = run(PROGRAMS / "augreg", "import", file, "--format", "json", *arguments)
    (row,) = json.loads(found)
    return row


def standardised(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """StdConv2dSame with the deviation of vit_jax/models_resnet.py in place of batch_norm's."""
    if conv.same_pad:
        x = timm.layers.pad_same(x, conv.kernel_size, conv.stride, conv.dilation)
    kernel = conv.weight - conv.weight.mean((1, 2, 3), keepdim=True)
    kernel = kernel / (kernel.std((1, 2, 3), correction=0, keepdim=True) + 1e-5)
    return functional.conv2d(x, kernel, None, conv.stride, conv.padding)


def network(model: Model, size: int = 224, classes: int = 1000, act: str = "tanh") -> nn.Module:
    """timm's network with the study's arithmetic; its weights are not set."""
    name = model.timm.format(384 if size == 384 else 224)
    model = timm.create_model(name, img_size=size, num_classes=classes, device="meta")
    model = model.to_empty(device="cpu").train()
    for module in model.modules():
        if isinstance(module, (nn.LayerNorm, nn.GroupNorm)):
            module.eps = 1e-6
        elif isinstance(module, timm.layers.StdConv2dSame):
            module.forward = standardised.__get__(module)
        elif isinstance(module, nn.GELU):
            module.approximate = "tanh" if act == "tanh" else "none"
        elif isinstance(module, nn.Dropout) and module.p != 0:
            fail(f"timm's {name} drops at random")
    return model


def random_weights(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Values nowhere zero that keep activations of order one: scales around 1, kernels by fan-in."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, tensor in model.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        noise[noise == 0] = 1
        if tensor.ndim > 1 and name not in ("cls_token", "pos_embed"):
            weights[name] = noise * tensor[0].numel() ** -0.5
        elif "norm" in name and name.endswith("weight"):
            weights[name] = 1 + 0.2 * noise
        else:
            weights[name] = 0.2 * noise
    return weights


def identical(ours: dict[str, Tensor], theirs: dict[str, Tensor], what: str) -> None:
    """The same names, shapes and bits on both sides."""
    if ours.keys() != theirs.keys():
        fail(f"{what}: other names: {sorted(ours.keys() ^ theirs.keys())}")
    different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    if different:
        fail(f"{what}: other values in {different}")


def largest(difference: Tensor) -> float:
    return difference.abs().max().item()


def is_of_resnet(name: str) -> bool:
    return name.startswith("patch_embed.backbone.")


def differences(
    model: nn.Module,
    file: Path,
    size: int,
    folder: Path,
    act: str = "tanh",
    batch: int = BATCH,
    draw: int = 0,
) -> tuple[float, dict[str, float]]:
    """How far both sides' answers to the same images are apart: logits, and each tensor's gradient in
    parts of its largest value."""
    images = torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(draw)) * 2 - 1
    asked, answer = folder / "images.safetensors", folder / "answer.safetensors"
    save_file({"images": images}, asked)
    run(PROGRAMS / "examples/gradients", file, asked, answer, act)
    ours = load_file(answer)
    model.zero_grad()
    logits = model(images)
    (logits.square().mean() / 2).backward()
    logit = largest(ours.pop("logits") - logits.detach())
    if not logit < LOGITS:
        fail(f"logits differ by {logit:.2g}, more than {LOGITS}; the largest is {largest(logits):.2g}")
    theirs = {name: parameter.grad for name, parameter in model.named_parameters()}
    if ours.keys() != theirs.keys():
        fail(f"gradients of other tensors: {sorted(ours.keys() ^ theirs.keys())}")
    return logit, {name: largest(ours[name] - theirs[name]) / largest(theirs[name]) for name in ours}


def compare(model: nn.Module, file: Path, size: int, folder: Path, act: str = "tanh") -> tuple[float, float]:
    """The largest differences of logits, and of gradients outside a ResNet."""
    logit, gradients = differences(model, file, size, folder, act)
    outside = {name: gradient for name, gradient in gradients.items() if not is_of_resnet(name)}
    worst = max(outside, key=outside.get)
    if not outside[worst] < GRADIENTS:
        fail(f"the gradient of {worst} differs by {outside[worst]:.2g} of its largest value")
    return logit, outside[worst]


def compare_resnet(model: Model, file: Path, folder: Path) -> str:
    """Gradients of all tensors of a hybrid, on the first small image that no ReLU is in doubt about."""
    small = folder / "small.safetensors"
    augreg_import(file, "--resolution", SMALL, "--out", small)
    theirs = network(model, size=SMALL)
    theirs.load_state_dict(load_file(small), strict=True)
    for draw in range(DRAWS):
        _, gradients = differences(theirs, small, SMALL, folder, batch=1, draw=draw)
        worst = max(gradients, key=gradients.get)
        if gradients[worst] < GRADIENTS:
            return f"; of the ResNet {gradients[worst]:.1e} (image {draw + 1})"
    fail(f"on {DRAWS} small images the gradient of a tensor differs, now {worst} by {gradients[worst]:.2g}")


def zoomed(positions: Tensor, size: int) -> Tensor:
    """The resize of vit_jax/checkpoint.py: SciPy's zoom of the grid, the class token's as it is.

    The mode is for B/8 alone: from 28 to 48 rounding puts SciPy's last row and column 4e-15 beyond the
    grid, and the default mode makes them zeros. No B/8 of the study was transferred at 384.
    """
    token, grid = positions[:, :1], positions[0, 1:].numpy()
    side = round(len(grid) ** 0.5)
    scale = (size / side, size / side, 1)
    grid = scipy.ndimage.zoom(grid.reshape(side, side, -1), scale, order=1, mode="nearest")
    return torch.cat([token, torch.from_numpy(grid.reshape(1, size * size, -1))], 1)


def check_files(model: Model, weights: dict[str, Tensor], folder: Path) -> Path:
    """timm to npz to timm's loader, and npz to timm; returns the last file."""
    theirs, npz, ours = (folder / name for name in ("theirs.safetensors", "x.npz", "ours.safetensors"))
    save_file(weights, theirs)
    found = augreg_import(theirs, "--to", "npz", "--out", npz)
    if (found["format"], found["model"], found["classes"]) != ("timm", model.name, 1000):
        fail(f"timm's {model.name} is taken for {found}")
    loaded = network(model)
    loaded.load_pretrained(str(npz))
    identical(loaded.state_dict(), weights, "npz in timm")
    del loaded
    augreg_import(npz, "--model", model.name, "--out", ours)
    identical(load_file(ours), weights, "npz and back")
    theirs.unlink()
    return ours


def check_old_npz(npz: Path, folder: Path) -> None:
    """An npz as old flax and big_vision wrote it is the same weights."""
    arrays = dict(np.load(npz))
    old = {"opt/state/step": np.int32(7), "opt/target/pre_logits/kernel": np.zeros((4, 4), np.float32)}
    new = {"opt/mu/whatever": np.float64([1])}
    for name, array in arrays.items():
        is_group_norm = "gn" in name.split("/")[-2][:2] if "/" in name else False
        old[f"opt/target/{name}"] = array[None, None, None] if is_group_norm else array
        for of, to in [
            ("Transformer/posembed_input/", ""),
            ("MultiHeadDotProductAttention_1", "MultiHeadDotProductAttention_0"),
            ("MlpBlock_3", "MlpBlock_0"),
            ("LayerNorm_2", "LayerNorm_1"),
        ]:
            name = name.replace(of, to)
        new[f"params/{name}"] = np.asfortranarray(array)
    reference = augreg_import(npz)["parameters_sha256"]
    save = np.savez_compressed if npz.stat().st_size < 50e6 else np.savez  # Packing is slow.
    save(folder / "new.npz", **new)
    if augreg_import(folder / "new.npz")["parameters_sha256"] != reference:
        fail("an npz with big_vision's names is taken for other weights")
    np.savez(folder / "old.npz", **old)
    without = augreg_import(npz, "--classes", 7)["parameters_sha256"]
    if augreg_import(folder / "old.npz", "--classes", 7)["parameters_sha256"] != without:
        fail("an npz with old flax's names is taken for other weights")


def check_384(model: Model, weights: dict[str, Tensor], file: Path, folder: Path) -> str:
    """Position embeddings for 384 pixels; the network with them, where that is asked for."""
    resized = folder / "resized.safetensors"
    augreg_import(file, "--resolution", 384, "--out", resized)
    ours = load_file(resized)
    side = round((ours["pos_embed"].shape[1] - 1) ** 0.5)
    difference = largest(ours["pos_embed"] - zoomed(weights["pos_embed"], side))
    if not difference < POSITIONS:
        fail(f"position embeddings at 384 differ from SciPy's by {difference:.2g}")
    identical(ours | {"pos_embed": weights["pos_embed"]}, weights, "at 384")
    if not model.large:
        return f"; 384: positions {difference:.1e}"
    large = network(model, size=384)
    large.load_state_dict(ours, strict=True)
    logit, gradient = compare(large, resized, 384, folder)
    return f"; 384: positions {difference:.1e}, logits {logit:.1e}, gradients {gradient:.1e}"


def check(model: Model, seed: int, folder: Path) -> str:
    """All of it for one model; what was found in a line."""
    theirs = network(model)
    weights = random_weights(theirs, seed)
    ours = check_files(model, weights, folder)
    theirs.load_state_dict(load_file(ours), strict=True)
    logit, gradient = compare(theirs, ours, 224, folder)
    said = f"logits {logit:.1e}, gradients {gradient:.1e}"
    if any(is_of_resnet(name) for name in weights):
        said += compare_resnet(model, ours, folder)
    if model.large:
        erf = network(model, act="erf")
        erf.load_state_dict(weights, strict=True)
        compare(erf, ours, 224, folder, act="erf")
        check_old_npz(folder / "x.npz", folder)
        head = folder / "head.safetensors"
        augreg_import(ours, "--classes", 37, "--out", head)
        network(model, classes=37).load_state_dict(load_file(head), strict=True)
    del theirs
    return said + check_384(model, weights, ours, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help="such as Ti/16; all without")
    parser.add_argument("--seed", type=int, default=0, help="of weights (0)")
    arguments = parser.parse_args()
    unknown = set(arguments.models) - {model.name for model in MODELS}
    if unknown:
        parser.error(f"unknown {sorted(unknown)}; there are {[model.name for model in MODELS]}")
    for model in MODELS:
        if arguments.models and model.name not in arguments.models:
            continue
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="augreg-parity-") as folder:
            said = check(model, arguments.seed, Path(folder))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{model.name}: {said}; {time.perf_counter() - start:.0f} s, {peak:.1f} GB", flush=True)


if __name__ == "__main__":
    main()

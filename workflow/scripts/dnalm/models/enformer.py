"""Enformer (Avsec et al. 2021): tracks of expression, accessibility and chromatin along a sequence.

A stem and a tower of convolutions halve the resolution step by step to 128 bases a bin, attention with relative
positions mixes the bins, the middle ``target_length`` bins are kept, and a head for each organism predicts its tracks.
The names of the weights are those of the PyTorch port ``enformer-pytorch``, so its checkpoints load as they are.

Shapes: B batch, L length in bases, N bins, D channels, H heads, E channels of a head, F relative features.
"""

import json
import math
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from dnalm.errors import InputError
from dnalm.models.backbone import reverse_strand

DEFAULTS = {
    "dim": 1536, "depth": 11, "heads": 8, "output_heads": {"human": 5313, "mouse": 1643}, "target_length": 896,
    "attn_dim_key": 64, "num_downsamples": 7, "dim_divisible_by": 128, "dropout_rate": 0.4, "attn_dropout": 0.05,
    "pos_dropout": 0.01, "use_tf_gamma": False,
}  # fmt: skip
"""Values of a ``config.json`` that are not given; its names are those of ``enformer-pytorch``."""
SHARED = {
    "_trunk.1.": "stem.",
    "_trunk.2.": "conv_tower.",
    "_trunk.4.": "transformer.",
    "_trunk.6.": "final_pointwise.",
}
"""Second names under which the port stores the same weights again."""


def relative_features(bins: int, features: int, over_distances: bool = False) -> Tensor:
    """Features (2 N - 1, F) of the distances -(N - 1)..N - 1 between bins, as in the supplement of the paper.

    A third each are exponential decays, masks of the centre and gamma densities; half of every third is multiplied by
    the sign of the distance. A gamma density is divided by its maximum over the distances in the paper, and by the
    maximum over the features at a distance in the PyTorch port; ``over_distances`` chooses the former.
    """
    count = features // 6
    signed = torch.arange(1 - bins, bins).float()[:, None]
    distance = signed.abs()
    half_life = 2 ** torch.linspace(3.0, math.log2(bins), count)
    decay = torch.exp(-math.log(2.0) / half_life * distance)
    centre = (2 ** torch.arange(1, count + 1).float() - 1 > distance).float()
    mean, deviation = torch.linspace(bins / count, bins, count), bins / (2 * count)
    shape, rate = (mean / deviation) ** 2, mean / deviation**2
    log_density = torch.xlogy(shape - 1, distance) - rate * distance - (torch.lgamma(shape) - shape * torch.log(rate))
    density = torch.exp(log_density) + 1e-8
    gamma = density / density.amax(0 if over_distances else 1, keepdim=True)
    found = torch.cat([decay, centre, gamma], dim=1)
    return torch.cat([found, signed.sign() * found], dim=1)


class Residual(nn.Module):
    """x + fn(x)."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.fn = layers[0] if len(layers) == 1 else nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Any shape that ``fn`` keeps."""
        return self.fn(x) + x


class Gelu(nn.Module):
    """The approximation x sigmoid(1.702 x) that the paper uses."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return torch.sigmoid(1.702 * x) * x


def conv_block(width: int, out: int, kernel: int = 1) -> nn.Sequential:
    """Normalisation, non-linearity and convolution of (B, D, L)."""
    return nn.Sequential(nn.BatchNorm1d(width), Gelu(), nn.Conv1d(width, out, kernel, padding=kernel // 2))


class AttentionPool(nn.Module):
    """Halves the length: the mean of two neighbours, weighted by a softmax for every channel."""

    def __init__(self, width: int):
        super().__init__()
        self.to_attn_logits = nn.Conv2d(width, width, 1, bias=False)
        nn.init.dirac_(self.to_attn_logits.weight)
        self.to_attn_logits.weight.data.mul_(2)

    def forward(self, x_BDL: Tensor) -> Tensor:
        """(B, D, L) to (B, D, L / 2 rounded up); a last position without a neighbour stays as it is."""
        odd = x_BDL.shape[-1] % 2
        pairs = F.pad(x_BDL, (0, odd)).unflatten(-1, (-1, 2))
        logits = self.to_attn_logits(pairs)
        if odd:
            logits = logits.clone()
            logits[..., -1, 1] = -torch.finfo(logits.dtype).max
        return (pairs * logits.softmax(-1)).sum(-1)


class Attention(nn.Module):
    """Attention over bins; its logits are a content term and a relative position term (Dai et al. 2019)."""

    def __init__(self, config: dict):
        super().__init__()
        width, heads, key = config["dim"], config["heads"], config["attn_dim_key"]
        self.heads, self.features, self.tf_gamma = heads, width // heads, config["use_tf_gamma"]
        self.to_q, self.to_k = nn.Linear(width, key * heads, bias=False), nn.Linear(width, key * heads, bias=False)
        self.to_v = nn.Linear(width, self.features * heads, bias=False)
        self.to_out = nn.Linear(self.features * heads, width)
        self.to_rel_k = nn.Linear(self.features, key * heads, bias=False)
        self.rel_content_bias = nn.Parameter(torch.randn(1, heads, 1, key))
        self.rel_pos_bias = nn.Parameter(torch.randn(1, heads, 1, key))
        self.pos_dropout, self.attn_dropout = nn.Dropout(config["pos_dropout"]), nn.Dropout(config["attn_dropout"])

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) to the same shape."""
        bins = x_BND.shape[1]
        q, k, v = (f(x_BND).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.to_q, self.to_k, self.to_v))
        q = q * q.shape[-1] ** -0.5
        features = relative_features(bins, self.features, self.tf_gamma).to(x_BND)
        rel_k = self.to_rel_k(self.pos_dropout(features)).unflatten(-1, (self.heads, -1)).transpose(0, 1)
        by_distance = (q + self.rel_pos_bias) @ rel_k.mT
        at = torch.arange(bins, device=x_BND.device)
        distance = (at - at[:, None] + bins - 1).expand(*by_distance.shape[:2], -1, -1)
        logits = (q + self.rel_content_bias) @ k.mT + by_distance.gather(-1, distance)
        weights = self.attn_dropout(logits.softmax(-1))
        return self.to_out((weights @ v).transpose(1, 2).flatten(2))


def transformer_block(config: dict) -> nn.Sequential:
    """Attention and feed-forward, each normalised before and added to its input."""
    width, rate = config["dim"], config["dropout_rate"]
    drop = [nn.Dropout(rate) for _ in range(3)]
    up, down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
    return nn.Sequential(
        Residual(nn.LayerNorm(width), Attention(config), drop[0]),
        Residual(nn.LayerNorm(width), up, drop[1], nn.ReLU(), down, drop[2]),
    )


def tower_widths(config: dict) -> list[int]:
    """Channels after the stem and after every stage of the tower: a geometric series from D / 2 to D."""
    width, stages, unit = config["dim"], config["num_downsamples"] - 1, config["dim_divisible_by"]
    start = width // 2
    growth = (width / start) ** (1 / max(stages - 1, 1))
    widths = [start] + [int(round(start * growth**i / unit) * unit) for i in range(stages)]
    if stages < 2 or widths[-1] != width or (width // config["heads"]) % 6 or width % config["heads"]:
        raise InputError(
            f"no Enformer has dim {width} with {config['heads']} heads, {config['num_downsamples']} downsamplings and "
            f"widths divisible by {unit}",
            "config.json",
            "dim must be divisible by dim_divisible_by, and dim / heads by 6; num_downsamples is 3 at least",
        )
    return widths


class Enformer(nn.Module):
    """The network; ``config`` is a dict as `DEFAULTS`."""

    def __init__(self, config: dict):
        super().__init__()
        self.config = config = DEFAULTS | config
        widths, width = tower_widths(config), config["dim"]
        first = widths[0]
        self.stem = nn.Sequential(
            nn.Conv1d(4, first, 15, padding=7), Residual(conv_block(first, first)), AttentionPool(first)
        )
        self.conv_tower = nn.Sequential(
            *(
                nn.Sequential(conv_block(a, b, 5), Residual(conv_block(b, b)), AttentionPool(b))
                for a, b in pairwise(widths)
            )
        )
        self.transformer = nn.Sequential(*(transformer_block(config) for _ in range(config["depth"])))
        self.final_pointwise = nn.Sequential(
            nn.Identity(), conv_block(width, 2 * width), nn.Dropout(config["dropout_rate"] / 8), Gelu()
        )
        self._heads = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear(2 * width, n), nn.Softplus()) for name, n in config["output_heads"].items()}
        )

    def embeddings(self, codes_BL: Tensor) -> Tensor:
        """States (B, bins, 2 D) behind the heads, for base codes 0..4; an N is a column of zeros."""
        x = F.one_hot(codes_BL, 5)[..., :4].transpose(1, 2).to(self.stem[0].weight.dtype)
        x = self.transformer(self.conv_tower(self.stem(x)).transpose(1, 2))
        return self.final_pointwise(self._crop(x).transpose(1, 2)).transpose(1, 2)

    def _crop(self, x_BND: Tensor) -> Tensor:
        """The middle ``target_length`` bins (-1: all); one less if it cannot be in the middle, as in the port."""
        bins, wanted = x_BND.shape[1], self.config["target_length"]
        if bins < wanted:
            size = 2 ** self.config["num_downsamples"]
            raise InputError(
                f"a window of {bins} bins, but the model predicts {wanted} bins",
                "enformer",
                f"Read windows of {wanted * size} bases at least (1 bin = {size} bases), or set target_length to -1",
            )
        trim = 0 if wanted == -1 else (bins - wanted + 1) // 2
        return x_BND[:, trim : bins - trim]

    def forward(self, codes_BL: Tensor) -> dict[str, Tensor]:
        """Tracks (B, bins, tracks) by the name of the head."""
        return self.heads(self.embeddings(codes_BL))

    def heads(self, x_BND: Tensor) -> dict[str, Tensor]:
        """Tracks of all heads from `embeddings`."""
        return {name: head(x_BND) for name, head in self._heads.items()}


class EnformerBackbone(nn.Module):
    """Enformer from a folder with ``config.json`` and ``model.safetensors`` or ``pytorch_model.bin``.

    Parameters
    ----------
    folder : path
        Files as ``enformer-pytorch`` or ``EleutherAI/enformer-official-rough`` on the Hugging Face hub have them.
    tf_gamma : bool, optional
        Normalise the gamma features as the paper does (see `relative_features`): set it for weights that were converted
        from the original ones, as EleutherAI's are. By default ``use_tf_gamma`` of ``config.json``, or False.
    """

    def __init__(self, folder, tf_gamma: bool | None = None):
        super().__init__()
        folder = Path(folder)
        config = _read_config(folder / "config.json")
        if tf_gamma is not None:
            config["use_tf_gamma"] = tf_gamma
        self.model = Enformer(config)
        try:
            self.model.load_state_dict(_read_weights(folder))
        except RuntimeError as error:
            raise InputError(
                f"weights and config.json do not belong together ({error})", str(folder), "Fetch both files again"
            ) from error
        self.eval()

    @property
    def width(self) -> int:
        """Channels of `embeddings`."""
        return 2 * self.model.config["dim"]

    @property
    def bin_size(self) -> int:
        """Bases per bin."""
        return 2 ** self.model.config["num_downsamples"]

    def embeddings(self, codes_BL: Tensor) -> Tensor:
        """States (B, bins, width) of windows of base codes 0..4, the middle bins alone."""
        return self.model.embeddings(codes_BL)

    def tracks(self, codes_BL: Tensor, average_strands: bool = False) -> dict[str, Tensor]:
        """Predicted tracks (B, bins, tracks) for every head.

        ``average_strands`` takes the mean of the predictions from both strands, as the paper does for its figures; it
        is meant for tracks that have no strand themselves.
        """
        plus = self.model(codes_BL)
        if not average_strands:
            return plus
        minus = self.model(reverse_strand(codes_BL))
        return {name: (track + minus[name].flip(1)) / 2 for name, track in plus.items()}

    def describe(self) -> dict:
        """What a model card says."""
        config = self.model.config
        return {
            "name": "Enformer",
            "parameters": sum(p.numel() for p in self.parameters()),
            "width": self.width,
            "layers": config["depth"],
            "bases_per_bin": self.bin_size,
            "bins": config["target_length"],
            "tracks": dict(config["output_heads"]),
        }


def _read_config(path: Path) -> dict:
    """The keys of `DEFAULTS` in a ``config.json``."""
    try:
        record = json.loads(path.read_text())
        return {key: record[key] for key in DEFAULTS if key in record}
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"not the config of an Enformer ({error})", str(path), "Fetch config.json of the checkpoint"
        ) from error


def _read_weights(folder: Path) -> dict[str, Tensor]:
    """Weights under their first names; pickles are read as tensors alone, never run."""
    safe, pickled = folder / "model.safetensors", folder / "pytorch_model.bin"
    try:
        tensors = load_file(safe) if safe.exists() else torch.load(pickled, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"no readable model.safetensors or pytorch_model.bin ({error})", str(folder), "Fetch the weights again"
        ) from error
    named = {}
    for name, tensor in tensors.items():
        second = next((s for s in SHARED if name.startswith(s)), None)
        named[SHARED[second] + name.removeprefix(second) if second else name] = tensor
    return named

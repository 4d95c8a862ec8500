"""Models of dnalm for users of Hugging Face ``transformers``.

After ``import dnalm.models.hub``, ``AutoConfig``, ``AutoModel`` and ``AutoTokenizer`` read a folder that `export` has
written; it holds the files of dnalm itself and no second copy of the weights. Plain transformers can also be converted
to a stock class that needs no dnalm at all (`to_gpt_neox`).

Shapes: B batch, T length in tokens, D width, V vocabulary.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput, cached_file

from dnalm.errors import InputError
from dnalm.models.build import build_model, load_model
from dnalm.models.config import ModelConfig
from dnalm.models.networks.decoder import Decoder
from dnalm.models.networks.transformer import Transformer
from dnalm.models.token_model import TokenModel
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import N

HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "subfolder", "token")
UNLIMITED = 2**20
"""Tokens that a converted model claims to read; neither attention nor the rotations set a limit."""


class DnalmConfig(PreTrainedConfig):
    """The keys of `dnalm.models.config.ModelConfig`, with the names of ``transformers`` as well."""

    model_type = "dnalm"
    attribute_map = {  # noqa: RUF012
        "hidden_size": "width",
        "num_hidden_layers": "layers",
        "num_attention_heads": "heads",
        "vocab_size": "vocabulary",
    }

    @property
    def shape(self) -> ModelConfig:
        """The same as a `ModelConfig`."""
        given = {f.name: _tuples(getattr(self, f.name)) for f in fields(ModelConfig) if hasattr(self, f.name)}
        return ModelConfig(**given)


@dataclass
class DnalmOutput(ModelOutput):
    """What `DnalmModel` returns.

    ``logits``: log-probabilities; (B, T, 4) of each base given both sides (or, for the objective ``causal``, the bases
    before it), or (B, T, V) of each token. ``last_hidden_state`` (B, T, 2 D): states of both strands, or None.
    ``forward_logits`` and ``reverse_logits`` (B, T, 4): given one side alone, or None.
    """

    logits: Tensor | None = None
    last_hidden_state: Tensor | None = None
    forward_logits: Tensor | None = None
    reverse_logits: Tensor | None = None


class DnalmModel(PreTrainedModel):
    """A model of dnalm behind the interface of ``transformers``; the model itself is ``model``."""

    config_class = DnalmConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"

    def __init__(self, config: DnalmConfig, model: nn.Module | None = None):
        super().__init__(config)
        self.model = model or build_model(config.shape)
        self.post_init()

    def _init_weights(self, module) -> None:
        """Nothing: the parts of dnalm start as they want to."""

    @classmethod
    def from_pretrained(cls, folder_or_id, *args, config=None, dtype=None, **options) -> "DnalmModel":
        """Read ``config.json`` and ``model.safetensors``, the memory included, as they are."""
        hub = {name: options[name] for name in HUB_OPTIONS if name in options}
        try:
            weights, _ = (cached_file(folder_or_id, name, **hub) for name in ("model.safetensors", "config.json"))
        except OSError as error:
            raise InputError(
                f"no model of dnalm ({error})", str(folder_or_id), "Name a folder that dnalm.models.hub.export wrote"
            ) from error
        folder = Path(weights).parent
        model = cls(config or DnalmConfig.from_pretrained(folder), load_model(folder))
        return model.to(dtype if isinstance(dtype, torch.dtype) else torch.float32).eval()

    def save_pretrained(self, folder, **options) -> None:
        """Write the files that `from_pretrained` reads; ``options`` of other models mean nothing here."""
        self.model.save(folder)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **options) -> DnalmOutput:
        """Predictions for tokens (B, T); what the mask calls padding has no influence."""
        real = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        if isinstance(self.model, TwoSided):
            return _of_bases(self.model(input_ids.masked_fill(real == 0, N)))
        known = input_ids != self.model.tokenizer.unknown_id
        return DnalmOutput(logits=self.model(input_ids, real.bool() & known))


def _of_bases(output) -> DnalmOutput:
    """From `dnalm.models.two_sided.Output`."""
    best = output.forward if output.two_sided is None else output.two_sided
    return DnalmOutput(best, torch.cat([output.left, output.right], dim=-1), output.forward, output.reverse)


def _tuples(value):
    """JSON has lists where a config has tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def export(model: nn.Module, tokenizer, folder) -> None:
    """Write ``model`` and what ``transformers`` needs to read it with its tokenizer.

    Parameters
    ----------
    model : nn.Module
        With a method ``save(folder)`` that writes ``config.json`` and ``model.safetensors``.
    tokenizer : tokenizers.Tokenizer or SequenceTokenizer
        With a method ``save(path)``.
    folder : path
        Made if it is not there.
    """
    model.save(folder)
    tokenizer.save(str(Path(folder) / "tokenizer.json"))
    vocabulary = json.loads((Path(folder) / "tokenizer.json").read_text())["model"]["vocab"]
    record = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "attention_mask"]}
    for role in ("pad", "unk", "mask"):
        names = [f"[{role.upper()}]", f"<{role}>"] + ["N"] * (role != "mask")
        record |= {f"{role}_token": name for name in names[::-1] if name in vocabulary}
    (Path(folder) / "tokenizer_config.json").write_text(json.dumps(record, indent=2) + "\n")


def to_gpt_neox(model: TokenModel | TwoSided) -> GPTNeoXForCausalLM:
    """A stock GPT-NeoX that computes the same logits, up to a constant per position, as a plain transformer of dnalm.

    For the architectures ``decoder`` and ``transformer`` with rotary positions, without a memory. GPT-NeoX (Black et
    al. 2022) has the same pre-norm blocks if its parallel residual is off; ``is_causal = False`` (which
    ``transformers`` 5 obeys, and earlier versions do not) makes it an encoder, and the factors of LongRoPE (Ding et al.
    2024) can spell any rotary rates. Angles are in single precision there, so far along a window the two differ by
    rounding.

    Padding and N must have the mask 0. What a causal model of dnalm predicts first of all, before any token, has no
    equal; begin with a token of padding with the mask 0, and the rest is the same. A model over bases that predicts
    A C G T alone gets a fifth logit without a meaning.

    Raises
    ------
    InputError
        Another network; sinusoidal positions; a memory; a bias of the output layer that no bias of the last norm can
        stand for.
    """
    embed, network, head, pad = _parts(model)
    found = GPTNeoXForCausalLM(_gpt_neox_config(model.config, network, pad))
    out = found.get_output_embeddings().weight
    (name,) = (name for name, p in found.named_parameters() if p is out)
    weights = {
        "gpt_neox.embed_in.weight": embed.weight,
        name: F.pad(head.weight, (0, 0, 0, len(out) - len(head.weight))),
    }
    weights["gpt_neox.final_layer_norm.weight"] = network.norm.weight
    weights["gpt_neox.final_layer_norm.bias"] = network.norm.bias + _in_the_norm(head)
    for i, block in enumerate(network.blocks):
        weights |= {f"gpt_neox.layers.{i}.{key}": tensor for key, tensor in _gpt_neox_block(block).items()}
    found.load_state_dict(weights)
    return found.eval()


def _parts(model) -> tuple[nn.Embedding, nn.Module, nn.Linear, int]:
    """Embeddings, network, output layer and the id of padding."""
    if isinstance(model, TokenModel):
        parts = model.embed, model.network, model.head, model.tokenizer.pad_id
    else:
        parts = model.tower.embed, model.tower.network, model.tower.mix.vote, N
    config, network = model.config, parts[1]
    plain = isinstance(network, Decoder) or (isinstance(network, Transformer) and not network.sinusoidal)
    if not plain or config.objective == "two_sided" or config.memory_orders:
        raise InputError(
            f"no stock class computes what a model with architecture {config.architecture}, objective "
            f"{config.objective}, {config.positions} positions and {len(config.memory_orders)} memory orders does",
            "to_gpt_neox",
            "Convert a decoder, or a transformer with rotary positions, or share the model itself with export",
        )
    return parts


def _gpt_neox_config(shape: ModelConfig, network: nn.Module, pad: int) -> GPTNeoXConfig:
    # With base 1 the standard rates are all 1, and the factor that divides them is the inverse of ours.
    factors = [1.0 / rate for rate in network.blocks[0].mixer.rates.double().tolist()]
    rope = {
        "rope_type": "longrope",
        "rope_theta": 1.0,
        "short_factor": factors,
        "long_factor": factors,
        "factor": 1.0,
        "attention_factor": 1.0,
        "original_max_position_embeddings": UNLIMITED,
        "partial_rotary_factor": 1.0,
    }
    return GPTNeoXConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.width, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, intermediate_size=4 * shape.width, hidden_act="relu2",
        use_parallel_residual=False, attention_bias=False, layer_norm_eps=network.norm.eps, hidden_dropout=0.0,
        attention_dropout=0.0, is_causal=network.causal, rope_parameters=rope, max_position_embeddings=UNLIMITED,
        tie_word_embeddings=False, pad_token_id=pad, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip


def _gpt_neox_block(block: nn.Module) -> dict[str, Tensor]:
    # Queries, keys and values stand side by side within a head there, and heads within them here.
    qkv = block.mixer.qkv.weight.unflatten(0, (3, block.mixer.heads, -1)).transpose(0, 1).flatten(0, 2)
    weights = {"attention.query_key_value.weight": qkv, "attention.dense.weight": block.mixer.out.weight}
    for name, module in (
        ("input_layernorm", block.norm),
        ("post_attention_layernorm", block.feed_forward.norm),
        ("mlp.dense_h_to_4h", block.feed_forward.up),
        ("mlp.dense_4h_to_h", block.feed_forward.down),
    ):
        weights |= {f"{name}.weight": module.weight, f"{name}.bias": module.bias}
    return weights


@torch.no_grad()
def _in_the_norm(head: nn.Linear) -> Tensor:
    """Bias of the norm before ``head`` that does what its own bias does, since the head of GPT-NeoX has none.

    The same number added to all logits of a position changes no probability, so only the differences must be met.
    """
    weight, bias = (t.double() - t.double().mean(0) for t in (head.weight, head.bias))
    found = torch.linalg.pinv(weight) @ bias
    if (weight @ found - bias).abs().max() > 1e-5:
        raise InputError(
            f"the biases of {len(bias)} tokens do not fit into {weight.shape[1]} channels",
            "to_gpt_neox",
            "Share the model itself with export",
        )
    return found.to(head.weight.dtype)


AutoConfig.register("dnalm", DnalmConfig, exist_ok=True)
AutoModel.register(DnalmConfig, DnalmModel, exist_ok=True)

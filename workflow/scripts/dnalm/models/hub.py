"""Checkpoints of Hugging Face ``transformers`` as backbones: encoders and decoders that others have trained on DNA.

The classes that make ``transformers`` know the models of dnalm (`dnalm.models.export`) come along.

Shapes: B batch, L length in bases, T length in tokens, special ones included, D width.
"""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from huggingface_hub import snapshot_download
from torch import Tensor, nn

from dnalm.errors import InputError
from dnalm.models.backbone import reverse_strand
from dnalm.models.export import DnalmConfig, DnalmModel, export, to_gpt_neox
from dnalm.models.token_model import spread
from dnalm.sequence.alphabet import LETTERS, N, decode
from dnalm.sequence.tokenizers import Tokens

__all__ = ["DnalmConfig", "DnalmModel", "HubBackbone", "export", "to_gpt_neox"]

MASKED, CAUSAL = ("ForMaskedLM", "ForPreTraining"), ("ForCausalLM", "LMHeadModel")
"""How the names of the two kinds of language models end."""
BESIDE = ("pooler", "contact_head")
"""Parts that many checkpoints lack and that neither states nor logits depend on."""
PROBE = "ACGTTGCATCGATTAGCCGATACG"
"""Sequence that a tokenizer of DNA must know."""
FILES = ("*.json", "*.txt", "*.py", "*.safetensors")


class HubBackbone(nn.Module):
    """A pretrained encoder or decoder of ``transformers``, read base by base from both strands.

    Parameters
    ----------
    folder_or_id : path or str
        Folder with ``config.json``, weights and a tokenizer (``tokenizer.json``, or ``vocab.txt`` as DNABERT and the
        Nucleotide Transformer have it), or the id of a repository on the Hugging Face hub.
    revision : str, optional
        Commit, tag or branch of the repository.
    trust_remote_code : bool
        Run Python code that comes with the checkpoint. Read it first: it can do whatever you can.
    offline : bool
        Never use the network: an id must then be in the cache of the hub. A folder never needs it.

    Weights are held in single precision, whatever the checkpoint has.
    """

    strands = "averaged"

    def __init__(self, folder_or_id, revision: str | None = None, trust_remote_code: bool = False, offline=True):
        super().__init__()
        self.source, self.revision = str(folder_or_id), revision
        folder = _folder(folder_or_id, revision, offline)
        _refuse_code(folder, trust_remote_code)
        options = {"trust_remote_code": trust_remote_code, "local_files_only": True}
        try:
            config = transformers.AutoConfig.from_pretrained(folder, **options)
            auto, causal = _class_of(config, self.source)
            self.model, found = auto.from_pretrained(
                folder, config=config, dtype=torch.float32, output_loading_info=True, **options
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            raise InputError(
                f"transformers cannot load this checkpoint ({error})", str(folder),
                "It needs config.json, model.safetensors or pytorch_model.bin, and tokenizer.json or vocab.txt",
            ) from error  # fmt: skip
        missing = sorted(name for name in found["missing_keys"] if not any(part in name for part in BESIDE))
        if missing:
            raise InputError(
                f"no weights for {', '.join(missing[:3])} ({len(missing)} tensors in all)", str(folder),
                "Fetch the whole checkpoint of the language model, not of a part or a classifier",
            )  # fmt: skip
        # A stock decoder can be an encoder in disguise, see `to_gpt_neox`.
        self.causal = causal and getattr(config, "is_causal", True)
        self.reader = TokenReader(tokenizer, self.source)
        if self.reader.largest >= config.vocab_size:
            raise InputError(
                f"the tokenizer has ids up to {self.reader.largest}, but the model has {config.vocab_size} tokens",
                self.source,
                "Fetch both from the same checkpoint",
            )
        self.longest = _longest(self.model, tokenizer)
        self.eval()

    @property
    def width(self) -> int:
        """Channels of a state."""
        return self.model.config.hidden_size

    @property
    def device(self) -> torch.device:
        """Where the weights are; tensors that go in must be there too."""
        return self.model.device

    def lookup(self, codes: np.ndarray, origin=None) -> None:
        """None: these models have no memory."""
        return None

    def attach(self, genomes) -> None:
        """Nothing: these models have no memory."""

    def hidden(self, ids_BT: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """The last hidden states (B, T, D) of the upstream class."""
        return self.model.base_model(ids_BT, attention_mask=attention_mask)[0]

    def logits(self, ids_BT: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """The logits (B, T, vocabulary) of the upstream class."""
        return self.model(ids_BT, attention_mask=attention_mask).logits

    def states(self, codes_BL: Tensor, features=None) -> tuple[Tensor, Tensor]:
        """Two states (B, L, D) of every base, both in forward orientation, for base codes 0..4.

        The first is read along the forward strand, the second along the reverse strand; for the reverse complement they
        change places and are flipped. The state of a base is the mean over the tokens that cover it. N at the ends is
        padding: it is not read, and its states are zeros.

        Raises
        ------
        InputError
            A window has more tokens than the model can read.
        """
        both = self._reading(torch.cat([codes_BL, reverse_strand(codes_BL)]))
        return both[: len(codes_BL)], both[len(codes_BL) :].flip(1)

    def _reading(self, codes_BL: Tensor) -> Tensor:
        tokens = [self.reader(row) for row in codes_BL.numpy(force=True).astype(np.uint8)]
        sizes = [len(t.ids) for t in tokens]
        most = max(sizes, default=0)
        if self.longest is not None and most > self.longest:
            raise InputError(
                f"a window of {codes_BL.shape[1]} bases has {most} tokens, but the model reads {self.longest} at most",
                self.source,
                "Choose shorter windows",
            )
        ids = torch.full((len(tokens), max(most, 1)), self.reader.pad)
        mask = torch.zeros_like(ids)
        for row, t in enumerate(tokens):
            ids[row, : sizes[row]] = torch.from_numpy(t.ids)
            mask[row, : sizes[row]] = 1
        h_BTD = self.hidden(ids.to(self.device), mask.to(self.device))
        return spread(h_BTD, tokens, codes_BL.shape[1])

    def save(self, folder) -> None:
        """Write a checkpoint of ``transformers`` that `HubBackbone` reads again."""
        self.model.save_pretrained(folder)
        self.reader.tokenizer.save_pretrained(folder)

    def describe(self) -> dict:
        """What a model card says."""
        config = self.model.config
        return {
            "name": self.source,
            "revision": self.revision,
            "class": type(self.model).__name__,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "width": self.width,
            "layers": config.num_hidden_layers,
            "causal": self.causal,
            "vocabulary": config.vocab_size,
            "tokens": f"overlapping {self.reader.k}-mers" if self.reader.k else type(self.reader.tokenizer).__name__,
            "longest_window_in_tokens": self.longest,
            "transformers": transformers.__version__,
        }


class TokenReader:
    """From base codes to the tokens of an upstream tokenizer, special ones included, and the bases of each.

    Attributes
    ----------
    k : int
        Bases of a k-mer if the vocabulary holds all k-mers of one length and no other (DNABERT, Ji et al. 2021): such a
        tokenizer takes k-mers one base apart, separated by spaces. 0 for all other tokenizers, which take letters.
    pad : int
        Id of padding.
    largest : int
        Largest id that a window can have.
    """

    def __init__(self, tokenizer, where: str = "tokenizer"):
        self.tokenizer, self.where = tokenizer, where
        vocabulary = tokenizer.get_vocab()
        sizes = [len(word) for word in vocabulary if set(word.upper()) <= set(LETTERS[:N])]
        k = max(sizes, default=0)
        self.k = k if k > 1 and sizes == [k] * 4**k else 0
        self.pad = 0 if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self.cased = self._case()
        bare, whole = self._ids(PROBE), self._ids(PROBE, special=True)
        # Taken from an example because slow tokenizers mark special tokens wrongly where one is not defined.
        before = next((i for i in range(len(whole)) if whole[i : i + len(bare)] == bare), None)
        if before is None:
            raise InputError("special tokens change the tokens between them", where, "Use another tokenizer.json")
        self.before, self.after = whole[:before], whole[before + len(bare) :]
        letters = {i for word, i in vocabulary.items() if set(word.upper()) <= set(LETTERS)}
        self.largest = max(letters | {self.pad, *bare, *whole})

    def _case(self):
        """`str.upper` or `str.lower`, whichever the tokenizer knows."""
        for cased in (str.upper, str.lower):
            ids = self.tokenizer(self._text(cased(PROBE)), add_special_tokens=False)["input_ids"]
            if ids and self.tokenizer.unk_token_id not in ids:
                return cased
        raise InputError(
            "the tokenizer does not know A C G T",
            self.where,
            "Put its tokenizer.json or vocab.txt beside config.json; if the tokens are DNA in upper case, set "
            "do_lower_case to false in tokenizer_config.json",
        )

    def _text(self, letters: str) -> str:
        if not self.k:
            return letters
        return " ".join(letters[i : i + self.k] for i in range(max(len(letters) - self.k + 1, 1)))

    def _ids(self, letters: str, special: bool = False) -> list[int]:
        return self.tokenizer(self._text(self.cased(letters)), add_special_tokens=special)["input_ids"]

    def __call__(self, codes: np.ndarray) -> Tokens:
        """Tokens of a window (uint8 of shape (L,), 0..4) without the N at its ends; special ones have no bases."""
        real = np.flatnonzero(codes < N)
        first, end = (real[0], real[-1] + 1) if len(real) else (0, 0)
        letters = decode(codes[first:end])
        ids, spans = self._spans(letters) if letters else ([], np.zeros((0, 2), dtype=np.int64))
        spans = np.pad(spans + first, ((len(self.before), len(self.after)), (0, 0)))
        return Tokens(np.array([*self.before, *ids, *self.after], dtype=np.int64), spans[:, 0], spans[:, 1])

    def _spans(self, letters: str) -> tuple[list[int], np.ndarray]:
        """Ids without special tokens, and (first, end) of each in ``letters``."""
        if not self.tokenizer.is_fast:
            return self._spans_by_length(letters)
        text = self._text(self.cased(letters))
        found = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        spans = np.array(found["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        if self.k:
            spans = spans - spans[:, :1] + spans[:, :1] // (self.k + 1)
        return found["input_ids"], spans

    def _spans_by_length(self, letters: str) -> tuple[list[int], np.ndarray]:
        """The same for tokenizers that keep no offsets: an unknown token is a run of N, others are their letters."""
        ids, end, spans = self._ids(letters), 0, []
        for token, word in zip(ids, self.tokenizer.convert_ids_to_tokens(ids), strict=True):
            first = end
            rest = letters[first:]
            size = len(rest) - len(rest.lstrip("N")) if token == self.tokenizer.unk_token_id else len(word)
            end = first + size
            spans.append((first, end))
        if end != len(letters):
            raise InputError("the tokenizer does not say which bases its tokens stand for", self.where,
                             "Convert it to a tokenizer.json")  # fmt: skip
        return ids, np.array(spans, dtype=np.int64)


def _folder(folder_or_id, revision: str | None, offline: bool) -> Path:
    """The folder of a checkpoint, fetched from the hub if that is allowed."""
    folder = Path(folder_or_id)
    if folder.is_dir():
        return folder
    try:
        folder = Path(snapshot_download(str(folder_or_id), revision=revision, local_files_only=offline,
                                        allow_patterns=FILES))  # fmt: skip
        if not any(folder.glob("*.safetensors")):
            snapshot_download(str(folder_or_id), revision=revision, local_files_only=offline, allow_patterns="*.bin")
        return folder
    except Exception as error:
        raise InputError(
            f"neither a folder nor {'in the cache of the hub' if offline else 'a repository that can be read'}",
            str(folder_or_id),
            "Put config.json, model.safetensors (or pytorch_model.bin) and tokenizer.json (or vocab.txt) into a folder "
            "and name that folder, or allow the network with offline=False",
        ) from error


def _refuse_code(folder: Path, trusted: bool) -> None:
    """Refuse a checkpoint that means its own code: the class of ``transformers`` may compute something else."""
    for name in ("config.json", "tokenizer_config.json"):
        try:
            record = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
        except ValueError as error:
            raise InputError(f"not JSON ({error})", str(folder / name), "Fetch it again") from error
        if "auto_map" in record and not trusted:
            raise InputError(
                "the checkpoint runs Python code of its own (auto_map)",
                str(folder / name),
                "Read that code, and set trust_remote_code to true if you trust it",
            )


def _class_of(config, where: str):
    """Class that loads the checkpoint, and whether it is causal."""
    name = (config.architectures or ["a model without a name"])[0]
    if name.endswith(CAUSAL):
        return transformers.AutoModelForCausalLM, True
    if name.endswith(MASKED):
        return transformers.AutoModelForMaskedLM, False
    raise InputError(
        f"{name} is not a language model",
        where,
        f"architectures in config.json must end with one of {', '.join(MASKED + CAUSAL)}",
    )


def _longest(model, tokenizer) -> int | None:
    """Tokens that a window may have, special ones included; None if nothing limits them."""
    limits = [getattr(model.config, "max_position_embeddings", None), tokenizer.model_max_length]
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            # RoBERTa and ESM count positions from the one after padding.
            limits.append(module.num_embeddings - module.padding_idx - 1)
    # Tokenizers without a limit say 10^30.
    return min((limit for limit in limits if limit and limit < 10**12), default=None)

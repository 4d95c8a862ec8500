"""What every network of the language models promises.

Shapes: B batch, L length in tokens, D width.
"""

from torch import Tensor, nn


class Network(nn.Module):
    """Token embeddings (B, L, D) to states (B, L, D) of the same width, normalised at the end.

    Subclasses take a `dnalm.models.config.ModelConfig`. Padding never changes a result: what stands where ``real_BL``
    is False has no influence on the states of real positions, and whether a window is padded neither. In causal
    networks the states at positions that are not real are defined too, by their own embedding and the real ones before
    them.
    """

    causal = False
    """Whether the state at i depends on the embeddings 0..i alone."""
    carries = False
    """Whether `carry` exists: causal networks that can go on where the last window ended."""

    in_pieces = False
    """Whether long windows are computed piece by piece and again in the backward pass, so that memory is low anyway."""

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """States (B, L, D); ``real_BL`` (bool) is False at padding and at N."""
        raise NotImplementedError

    def carry(self, x_BLD: Tensor, real_BL: Tensor, state=None) -> tuple[Tensor, object]:
        """States of a window that continues the one that gave ``state`` (None at the beginning), and the next state.

        Cutting a sequence anywhere and handing the state on gives the same states as `forward` on the whole.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot carry a state across windows")

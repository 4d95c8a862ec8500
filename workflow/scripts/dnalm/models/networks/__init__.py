"""Networks over token embeddings, one file each, behind one interface (`dnalm.models.networks.network.Network`)."""

from dnalm.errors import InputError
from dnalm.models.config import ModelConfig
from dnalm.models.networks.decoder import Decoder
from dnalm.models.networks.dilated_conv import DilatedConv
from dnalm.models.networks.hybrid import Hybrid
from dnalm.models.networks.hyena import Hyena
from dnalm.models.networks.local import Local
from dnalm.models.networks.network import Network
from dnalm.models.networks.sliding import Sliding
from dnalm.models.networks.ssm import SSM
from dnalm.models.networks.transformer import Transformer

NETWORKS: dict[str, type[Network]] = {
    "two_sided": Sliding,
    "decoder": Decoder,
    "hyena": Hyena,
    "ssm": SSM,
    "transformer": Transformer,
    "local": Local,
    "dilated_conv": DilatedConv,
    "hybrid": Hybrid,
}
"""By the name that a study gives in ``pretrain.architecture``; causal ones first."""


def build_network(config: ModelConfig) -> Network:
    """The network that ``config.architecture`` names; its shape is the rest of ``config``.

    Raises
    ------
    InputError
        If there is no such architecture.
    """
    if config.architecture not in NETWORKS:
        raise InputError(
            f"no architecture {config.architecture!r}", "pretrain.architecture", f"Choose from {', '.join(NETWORKS)}"
        )
    return NETWORKS[config.architecture](config)

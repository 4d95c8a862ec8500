"""N-gram memory: what the training sequence says about a base, given its neighbours, with the base's own copy left out.

For a base the memory counts, over all places of the training sequence (both strands) that have the same context, which
base stands there: for one-sided contexts of several orders (what stood after the same k bases) and for two-sided flanks
(what stood between the same l bases on the left and r on the right).

`NgramMemory` *is* the training sequence, indexed: a model that carries it remembers the training sequence letter by
letter. It takes five bytes of memory for a base; only the sequence is stored in the model file (one byte per base), and
the index is rebuilt in a fraction of a second per megabase. `HashedMemory` keeps counts of contexts in a table of fixed
size instead, for training sequence beyond that.

Leave-one-out: where the queried base lies inside the memory, every counted n-gram that covers this very base, on either
strand, is left out of its own counts. Otherwise a network trained on them would learn to trust its own copy.

Modules: `base` (lookup, and where bases come from), `exact` and `index`, `hashed` and `table`, `leave_out`, `features`
(counts to smoothed probabilities), `storage`.
"""

from dnalm.models.memory.base import FLANK_CORE, Memory
from dnalm.models.memory.exact import NgramMemory, index_bytes
from dnalm.models.memory.features import VALUES, Features, prior_weight
from dnalm.models.memory.hashed import HashedMemory
from dnalm.models.memory.storage import memory_arrays, memory_from_arrays

__all__ = [
    "FLANK_CORE",
    "VALUES",
    "Features",
    "HashedMemory",
    "Memory",
    "NgramMemory",
    "index_bytes",
    "memory_arrays",
    "memory_from_arrays",
    "prior_weight",
]

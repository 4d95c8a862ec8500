"""Train the networks on the candidates of annotated genomes; every genome says as much as the root of its genes."""

import numpy as np
import torch
import torch.nn.functional as F

from dnalm.errors import InputError
from dnalm.genefinder.calls import choose_genes, rank_starts
from dnalm.genefinder.groups import best_of_group
from dnalm.genefinder.lessons import Lesson
from dnalm.genefinder.networks import Networks, Scorer

WIDTH, MEMBERS, DROPOUT = 32, 3, 0.1
RATE, DECAY = 2e-3, 1e-2
START_PASSES, START_BATCH, GENE_PASSES, GENE_BATCH = 12, 128, 8, 256
#: Steps that are made at least, however few the genes are.
LEAST_STEPS = 300
#: Starts of one stop codon that are ranked, the outermost first.
STARTS = 64
#: Logits that the threshold is chosen from.
THRESHOLDS = np.arange(-3.0, 1.6, 0.25)


def learn(lessons: list[Lesson], seed: int, threshold: float = 0.0) -> Networks:
    """Networks trained on all lessons."""
    start = _learn_starts(lessons, seed)
    gene = _learn_genes(lessons, start, seed)
    table = lessons[0].table
    return Networks(gene, start, threshold, table.gene_names, table.start_names)


def _learn_starts(lessons: list[Lesson], seed: int) -> Scorer:
    """The ranking of starts, from stop codons of true genes with more than one start."""
    x, sizes, right, weight = [], [], [], []
    for lesson in lessons:
        group = lesson.candidates.group[lesson.table.index]
        order = np.lexsort((-lesson.candidates.bases[lesson.table.index], group))
        lists = [part[:STARTS] for part in np.split(order, np.flatnonzero(np.diff(group[order])) + 1)]
        lists = [part for part in lists if len(part) > 1 and lesson.start[part].any()]
        x.append(lesson.table.start[np.concatenate(lists)] if lists else lesson.table.start[:0])
        sizes += [len(part) for part in lists]
        right += [int(lesson.start[part].argmax()) for part in lists]
        weight += [lesson.weight * max(len(lists), 1) ** -0.5] * len(lists)
    if not sizes:
        raise InputError("there is no annotated gene to learn from", "genomes", "Give genomes with annotation")
    x, size_G, right_G, weight_G = (torch.from_numpy(np.concatenate(x)), *map(torch.tensor, (sizes, right, weight)))
    weight_G, first_G = weight_G / weight_G.mean(), size_G.cumsum(0) - size_G
    torch.manual_seed(seed)
    scorer = Scorer(x.shape[1], WIDTH, MEMBERS, DROPOUT)
    scorer.standardise(x)

    def rows(which):
        """The rows of some lists one after another, with the number of their list."""
        size = size_G[which]
        owner = torch.repeat_interleave(torch.arange(len(which)), size)
        return first_G[which][owner] + torch.arange(len(owner)) - (size.cumsum(0) - size)[owner], owner

    def loss(logits, which):
        owner = rows(which)[1]
        top = torch.full((len(which),), -torch.inf).scatter_reduce(0, owner, logits.detach(), "amax")
        total = torch.zeros(len(which)).index_add(0, owner, (logits - top[owner]).exp()).log() + top
        size = size_G[which]
        return ((total - logits[size.cumsum(0) - size + right_G[which]]) * weight_G[which]).mean()

    return _fit(scorer, lambda which: x[rows(which)[0]], loss, len(size_G), START_PASSES, START_BATCH, seed)


def _learn_genes(lessons: list[Lesson], start: Scorer, seed: int) -> Scorer:
    """Genes or not, from the best start of every stop codon."""
    x, y, weight = [], [], []
    for lesson in lessons:
        rows = _best_rows(lesson, start.score(lesson.table.start))
        rows = rows[~lesson.neutral[rows]]
        x.append(lesson.table.gene[rows])
        y.append(lesson.gene[rows])
        weight.append(np.full(len(rows), lesson.weight * max(lesson.true_genes, 1) ** -0.5))
    x, y, weight = (torch.from_numpy(np.concatenate(part).astype(np.float32)) for part in (x, y, weight))
    weight = weight / weight.mean()
    torch.manual_seed(seed + 1)
    scorer = Scorer(x.shape[1], WIDTH, MEMBERS, DROPOUT)
    scorer.standardise(x)

    def loss(logits_B, which):
        return (F.binary_cross_entropy_with_logits(logits_B, y[which], reduction="none") * weight[which]).mean()

    return _fit(scorer, lambda which: x[which], loss, len(x), GENE_PASSES, GENE_BATCH, seed + 1)


def _best_rows(lesson: Lesson, start_logit: np.ndarray) -> np.ndarray:
    """Rows of the table that hold the best start of every stop codon."""
    best = best_of_group(lesson.candidates, lesson.table.index, start_logit)
    return np.searchsorted(lesson.table.index, best)


def _fit(scorer: Scorer, inputs, loss, count: int, passes: int, batch: int, seed: int) -> Scorer:
    """AdamW with a rate that falls to zero; members differ by their first weights and by dropout."""
    optimizer = torch.optim.AdamW(scorer.parameters(), lr=RATE, weight_decay=DECAY)
    order = torch.Generator().manual_seed(seed)
    per_pass = -(-count // batch)
    passes = max(passes, -(-LEAST_STEPS // per_pass))
    steps = passes * per_pass
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    scorer.train()
    for _ in range(passes):
        for which in torch.randperm(count, generator=order).split(batch):
            optimizer.zero_grad()
            sum(loss(logits, which) for logits in scorer.each(inputs(which))).backward()
            optimizer.step()
            schedule.step()
    return scorer.eval()


def choose_threshold(folds: list[tuple[Networks, list[Lesson]]]) -> float:
    """The threshold with the best mean F1 at the 3' end over genomes, each judged by networks that did not see it."""
    f1 = sum(_f1(lesson, networks) for networks, held_out in folds for lesson in held_out)
    return float(THRESHOLDS[f1.argmax()])


def _f1(lesson: Lesson, networks: Networks) -> np.ndarray:
    """F1 at the 3' end at all `THRESHOLDS`."""
    ranked, f1 = rank_starts(lesson.candidates, lesson.table, networks), np.zeros(len(THRESHOLDS))
    for i, threshold in enumerate(THRESHOLDS):
        chosen = np.searchsorted(lesson.table.index, choose_genes(lesson.candidates, ranked, threshold))
        chosen = chosen[~lesson.neutral[chosen]]
        f1[i] = 2 * lesson.gene[chosen].sum() / max(len(chosen) + lesson.true_genes, 1)
    return f1

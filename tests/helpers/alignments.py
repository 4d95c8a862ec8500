"""Made-up alignments whose differences are known: an edit script becomes a query, and a line of a PAF file."""

import numpy as np

from dnalm.sequence.alphabet import decode, encode, reverse_complement

LETTERS = "ACGT"


def edit(target, rng, snv=0.05, indel=0.01):
    """Change a text at random: the query in the target's direction, its cs tag, and the places that were changed."""
    query, tag, changed, run = [], [], [], 0
    place = 0
    while place < len(target):
        draw = rng.random()
        if draw < snv:
            new = str(rng.choice([base for base in LETTERS if base != target[place]]))
            tag += [f":{run}"] * (run > 0) + [f"*{target[place].lower()}{new.lower()}"]
            changed.append((place, len(query), target[place], new))
            query.append(new)
            run, place = 0, place + 1
        elif draw < snv + indel and 0 < place < len(target) - 8:
            size = int(rng.integers(1, 6))
            if rng.random() < 0.5:
                tag += [f":{run}"] * (run > 0) + [f"-{target[place : place + size].lower()}"]
                place += size
            else:
                more = "".join(rng.choice(list(LETTERS), size))
                tag += [f":{run}"] * (run > 0) + [f"+{more.lower()}"]
                query += more
            run = 0
            query.append(target[place])  # a base on its own before the next operation
            run, place = 1, place + 1
        else:
            query.append(target[place])
            run, place = run + 1, place + 1
    return "".join(query), "".join(tag + [f":{run}"] * (run > 0)), changed


def turned(text):
    """The other strand of a text."""
    return decode(reverse_complement(encode(text)))


def paf_line(target, start, end, tag, query, query_start, query_end, reverse=False, quality=60, kind="P"):
    """A line of a PAF file; contig lengths are not looked at."""
    strand = "-" if reverse else "+"
    columns = [query, 10**6, query_start, query_end, strand, target, 10**6, start, end, 1, 1, quality]
    return "\t".join(map(str, [*columns, f"tp:A:{kind}", f"cs:Z:{tag}"]))


def random_text(length, rng):
    """Bases at random, as text."""
    return decode(rng.integers(0, 4, length).astype(np.uint8))

"""A small genome, and records on it of every kind that there should not be, with what becomes of each."""

from helpers.genomes import genome_of
from helpers.variants import COLUMNS, record

FIRST = "ACGTACGTTTACGCGCGATA" + "ACGTTGCA" * 10
SECOND = "acgtnRgtACGTTTTTGCAN"
GENOME = genome_of(FIRST, SECOND)
NEXT = len(FIRST)  # global position of the second contig

NAN = None
#: record, [(position, ref, alt, kind, flag) of each allele]
RECORDS = {
    "snv": (record(pos=2, ref="C", alt="T"), [(1, "C", "T", "snv", "")]),
    "lower case": (record(pos=2, ref="c", alt="t"), [(1, "C", "T", "snv", "")]),
    "soft-masked genome": (record("c1", 1, "A", "G"), [(NEXT, "A", "G", "snv", "")]),
    "last base": (record(pos=100, ref="A", alt="G"), [(99, "A", "G", "snv", "")]),
    "mnv": (record(pos=2, ref="CG", alt="TT"), [(1, "CG", "TT", "mnv", "")]),
    "snv in disguise": (record(pos=1, ref="ACGT", alt="ACTT"), [(2, "G", "T", "snv", "")]),
    "insertion": (record(pos=2, ref="C", alt="CAA"), [(2, "", "AA", "insertion", "")]),
    "insertion before the first base": (record(pos=1, ref="A", alt="GA"), [(0, "", "G", "insertion", "")]),
    "insertion behind the last base": (record(pos=100, ref="A", alt="AG"), [(100, "", "G", "insertion", "")]),
    "deletion": (record(pos=1, ref="ACG", alt="A"), [(1, "CG", "", "deletion", "")]),
    "deletion of the first base": (record(pos=1, ref="AC", alt="C"), [(0, "A", "", "deletion", "")]),
    "deletion in a repeat": (record("c1", 13, "TTT", "T"), [(NEXT + 12, "TT", "", "deletion", "")]),
    "indel": (record(pos=1, ref="ACG", alt="TT"), [(0, "ACG", "TT", "indel", "")]),
    "several": (
        record(pos=1, ref="AC", alt="A,ACC,GC,<DEL>,*,T"),
        [(1, "C", "", "deletion", ""), (1, "", "C", "insertion", ""), (0, "A", "G", "snv", ""),
         (-1, "AC", "<DEL>", NAN, "symbolic"), (-1, "AC", "*", NAN, "star"), (0, "AC", "T", "indel", "")],
    ),
    "POS 0": (record(pos=0), [(-1, "A", "C", "snv", "bad_position")]),
    "POS past the end": (record(pos=101), [(-1, "A", "C", "snv", "bad_position")]),
    "REF past the end": (record(pos=100, ref="AA", alt="A"), [(-1, "A", "", "deletion", "bad_position")]),
    "last POS of the format": (record(pos=2**31 - 1), [(-1, "A", "C", "snv", "bad_position")]),
    "POS 0 of nowhere": (record("x", 0), [(-1, "A", "C", "snv", "bad_position")]),
    "unknown contig": (record("x"), [(-1, "A", "C", "snv", "unknown_contig")]),
    "contig in angle brackets": (record("<x>"), [(-1, "A", "C", "snv", "unknown_contig")]),
    "other REF": (record(ref="G"), [(-1, "G", "C", "snv", "ref_mismatch")]),
    "other REF in the middle": (record(ref="ACTT", alt="A"), [(-1, "CTT", "", "deletion", "ref_mismatch")]),
    "other REF beside N": (record(ref="NG", alt="A"), [(-1, "NG", "A", "indel", "ref_mismatch")]),
    "other REF of <DEL>": (record(ref="T", alt="<DEL>"), [(-1, "T", "<DEL>", NAN, "ref_mismatch")]),
    "REF N": (record(ref="N"), [(-1, "N", "C", "snv", "ref_ambiguous")]),
    "REF IUPAC": (record(ref="R"), [(-1, "R", "C", "snv", "ref_ambiguous")]),
    "REF is RNA": (record(pos=4, ref="U"), [(-1, "U", "C", "snv", "ref_ambiguous")]),
    "REF is a point": (record(ref="."), [(-1, ".", "C", "snv", "ref_ambiguous")]),
    "REF is a dash": (record(ref="-"), [(-1, "-", "C", "snv", "ref_ambiguous")]),
    "REF has a comma": (record(ref="A,G"), [(-1, "A,G", "C", "indel", "ref_ambiguous")]),
    "REF has a space": (record(ref="A G"), [(-1, "A G", "C", "indel", "ref_ambiguous")]),
    "genome N": (record("c1", 5, "A", "C"), [(-1, "A", "C", "snv", "ref_ambiguous")]),
    "genome IUPAC": (record("c1", 6, "A", "C"), [(-1, "A", "C", "snv", "ref_ambiguous")]),
    "<DEL>": (record(alt="<DEL>", info="SVTYPE=DEL;END=30"), [(-1, "A", "<DEL>", NAN, "symbolic")]),
    "<INS:ME:ALU>": (record(alt="<INS:ME:ALU>"), [(-1, "A", "<INS:ME:ALU>", NAN, "symbolic")]),
    "breakend": (record(alt="A[c1:5["), [(-1, "A", "A[C1:5[", NAN, "symbolic")]),
    "breakend, other way": (record(alt="]c1:5]A"), [(-1, "A", "]C1:5]A", NAN, "symbolic")]),
    "single breakends": (
        record(alt="A.,.A"), [(-1, "A", "A.", NAN, "symbolic"), (-1, "A", ".A", NAN, "symbolic")]
    ),
    "contig insertion": (record(alt="A<ctg>"), [(-1, "A", "A<CTG>", NAN, "symbolic")]),
    "<*>": (record(alt="<*>"), [(-1, "A", "<*>", NAN, "star")]),
    "gVCF block": (record(alt="<NON_REF>", info="END=40"), [(-1, "A", "<NON_REF>", NAN, "star")]),
    "gVCF variant": (
        record(alt="C,<NON_REF>"), [(0, "A", "C", "snv", ""), (-1, "A", "<NON_REF>", NAN, "star")]
    ),
    "gVCF block at N": (record("c1", 5, "N", "<NON_REF>"), [(-1, "N", "<NON_REF>", NAN, "ref_ambiguous")]),
    "ALT .": (record(alt="."), [(-1, "A", ".", NAN, "no_alternative")]),
    "ALT empty": (record(alt=""), [(-1, "A", "", NAN, "no_alternative")]),
    "ALT is REF": (record(alt="a"), [(-1, "A", "A", NAN, "no_alternative")]),
    "a comma too much": (record(alt="C,"), [(0, "A", "C", "snv", ""), (-1, "A", "", NAN, "no_alternative")]),
    "ALT N": (record(alt="N"), [(-1, "A", "N", "snv", "alt_ambiguous")]),
    "ALT IUPAC": (record(alt="ar"), [(-1, "", "R", "insertion", "alt_ambiguous")]),
    "ALT is a dash": (record(alt="-"), [(-1, "A", "-", "snv", "alt_ambiguous")]),
    "ALT has a space": (record(alt="C "), [(-1, "A", "C ", "indel", "alt_ambiguous")]),
    "ALT is a number": (record(alt="2"), [(-1, "A", "2", "snv", "alt_ambiguous")]),
    "ALT is not ASCII": (record(alt="Ä"), [(-1, "A", "?", "snv", "alt_ambiguous")]),
    "fifty bases": (record(alt="A" + "C" * 50), [(1, "", "C" * 50, "insertion", "")]),
    "fifty-one bases": (record(alt="A" + "C" * 51), [(-1, "", "C" * 51, "insertion", "too_long")]),
    "long deletion": (record(ref=FIRST[:60], alt="A"), [(-1, FIRST[:59], "", "deletion", "too_long")]),
    "long, but for the shared": (
        record(ref=FIRST[:60], alt=FIRST[:30] + "A" + FIRST[31:60]), [(30, "G", "A", "snv", "")]
    ),
    "spaces in INFO": (record(info="A=b c;D"), [(0, "A", "C", "snv", "")]),
    "commas in values": (record(info="A=b,c;D=1,2"), [(0, "A", "C", "snv", "")]),
    "INFO empty": (record(info=""), [(0, "A", "C", "snv", "")]),
    "INFO not ASCII": (record(info="A=é"), [(0, "A", "C", "snv", "")]),
    "POS with zeros": (record(pos="0000000001"), [(0, "A", "C", "snv", "")]),
}  # fmt: skip

#: line, why it is no record
REJECTS = {
    "two columns": (b"c0\t1", "fewer or more columns than the header"),
    "seven columns": (b"c0\t1\t.\tA\tC\t.\t.", "fewer or more columns than the header"),
    "nine columns": (record(rest="GT").encode(), "fewer or more columns than the header"),
    "a tab at the end": (record().encode() + b"\t", "fewer or more columns than the header"),
    "spaces for tabs": (record().replace("\t", " ").encode(), "no tabs between the columns"),
    "words": (b"Segmentation fault", "no tabs between the columns"),
    "meta line": (b"##source=x", "header line among the records"),
    "record made a comment": (f"#{record()}".encode(), "header line among the records"),
    "column line": (COLUMNS.encode(), "header line among the records"),
    "POS is a word": (record(pos="one").encode(), "POS is no whole number"),
    "POS is empty": (record(pos="").encode(), "POS is no whole number"),
    "POS is a point": (record(pos=".").encode(), "POS is no whole number"),
    "POS is broken": (record(pos="1.0").encode(), "POS is no whole number"),
    "POS is a power": (record(pos="1e6").encode(), "POS is no whole number"),
    "POS is negative": (record(pos="-1").encode(), "POS is no whole number"),
    "POS has commas": (record(pos="1,000").encode(), "POS is no whole number"),
    "POS has a space": (record(pos=" 1").encode(), "POS is no whole number"),
    "POS in other digits": (record(pos="\u0661").encode(), "POS is no whole number"),
    "POS too large": (record(pos=2**31).encode(), "POS is beyond what VCF can hold"),
    "POS far too large": (record(pos="9" * 5000).encode(), "POS is beyond what VCF can hold"),
    "REF is empty": (record(ref="").encode(), "REF is empty"),
    "CHROM is empty": (record("").encode(), "CHROM is no name"),
    "CHROM has a comma": (record("c,0").encode(), "CHROM is no name"),
    "FILTER has a comma": (record(filters="q10,s50").encode(), "comma in FILTER"),
    "a semicolon in a value": (record(info="NOTE=a;b, c").encode(), "comma in a key of INFO"),
    "INFO is a list": (record(info="a,b").encode(), "comma in a key of INFO"),
    "Latin-1": (record(info="A=\xe9").encode("latin-1"), "not UTF-8"),
    "NUL": (record(info="A=\0").encode(), "NUL character"),
    "half a line": (record().encode()[:9], "fewer or more columns than the header"),
}

"""Families of features of variants with labels, which a study turns on and off."""

#: What a language model alone can say (`dnalm.tasks.labelled_language`).
LANGUAGE = ("language_model", "embeddings")
#: All families; the others are those of `dnalm.variants.features`.
FAMILIES = (
    "consequence", "chemistry", "residues", "substitution", "splice", "length", "columns", "windows", "gene", *LANGUAGE,
)  # fmt: skip

"""Names that tests of figures share."""

TWINS = ["dnalm_random_init", "dnalm_memory_only"]
GENE_METRICS = ["gene_sensitivity_3prime", "gene_precision_3prime", "gene_f1_3prime", "gene_f1_exact",
                "start_accuracy", "base_f1"]  # fmt: skip

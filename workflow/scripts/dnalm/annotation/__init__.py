"""Annotations: features, transcripts and labels of any format, and called genes in the field's formats."""

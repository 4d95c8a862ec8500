"""What a change of the sequence does: consequences, scores without labels, scores learned from labels."""

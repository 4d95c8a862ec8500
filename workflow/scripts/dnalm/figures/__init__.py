"""One module per figure, all in one style."""

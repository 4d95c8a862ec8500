"""Language models of DNA and their parts."""

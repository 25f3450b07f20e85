"""Pure statistics of scores and labels. Knows nothing of the product: only numpy, scipy and scikit-learn."""

"""Maps held against the truth: data sets with boxes, published metrics, results to look at."""

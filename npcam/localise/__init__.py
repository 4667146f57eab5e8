"""Maps and boxes against the truth: labelled photographs in, published metrics out."""

"""Many photographs: found, decoded, run in batches and finished at the same time, in order."""

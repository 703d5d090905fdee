"""From paths to scores: scan, decode, infer. Knows nothing of terminals and windows."""

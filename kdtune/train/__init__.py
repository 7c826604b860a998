"""Train one pack: from networks to rows, logits and weights. Knows torch; no Ray, no files."""

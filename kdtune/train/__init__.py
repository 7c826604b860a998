"""Train one pack: from networks to rows, logits and weights. Uses torch, but neither Ray nor files."""

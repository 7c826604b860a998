"""Networks that train together as one stacked model: its memory layout, passes, losses and optimizers."""

"""Many networks as one model, and what one training step of it takes."""

"""Training: optimisers, learning-rate schedules and gradient clipping, as NumPy functions."""

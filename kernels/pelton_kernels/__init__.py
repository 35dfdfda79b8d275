"""Array kernels of the hot path: each has a reference, a fast version, a test and a benchmark."""

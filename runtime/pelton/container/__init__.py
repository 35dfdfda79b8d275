"""Models in container images: the context of a build, and whatever builder is there."""

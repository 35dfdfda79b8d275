"""The queue and the hand-over to workers: an idle slot pulls, a batch is formed at that moment."""

"""What a person gets of a run: lines while it goes on, a table at its end, a page with plots."""

"""Measurements of pelton, and the demo model."""

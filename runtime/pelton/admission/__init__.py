"""Admission: whether a request may enter the queue. ``limits`` decides, ``pace`` measures."""

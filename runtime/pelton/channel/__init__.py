"""The channel between the server and a worker: framed messages on a socketpair.

``frames`` is pure, ``messages`` gives the frames their meaning, ``client`` is the server's
(asyncio) side and ``server`` the worker's (blocking) side.
"""

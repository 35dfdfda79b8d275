"""The supervisor: starts workers, watches them, replaces them, and rolls out revisions.

It sees workers only through their channel and their process: ``process`` starts and ends
processes, ``handle`` is one worker, ``template`` the fork server, ``pool`` the workers of one
revision, ``revision`` its life, ``supervisor`` the endpoint.
"""

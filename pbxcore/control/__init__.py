"""The process that decides calls: its questions, its answers, and its link to Asterisk.

Owns FastAGI, the wire protocol, the manager link and the decision log. Refuses to decide: `dialplan` does.
"""

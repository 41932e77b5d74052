"""Leg records: from the spool of Asterisk to legs.

Owns the record's format, the reading of the file, the rules by which events become legs, and what has to be
remembered between two reads. Refuses to price.
"""

"""Contracts: a log of dated facts, and what follows from it for any day: state, price, rights, charges.

Owns what a customer has ordered and what that costs besides calls. Refuses clocks, files and databases:
catalogues and facts are arguments, and the same facts make the same history in whatever order they come.
"""

"""Paper for people: what a customer of a provider is handed, drawn by Typst from what the cores say.

Owns words in the customers' languages, where things stand on a page, and the fonts. Refuses to know rules:
what leads where says `dialplan.flow`.
"""

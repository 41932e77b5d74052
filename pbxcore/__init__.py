"""The edges of the house: Asterisk, files, HTTP, command line, clock and processes."""

# pbxcore: `make run`, `make demo`, `make test`. `make help` lists the rest.
SHELL := /bin/bash

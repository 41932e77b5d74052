"""`python -m pbxcore` is `pbxcore`."""

from pbxcore.cli import main

main()

"""What Python reads at its start where this folder stands on PYTHONPATH, as `test_apply_killed` has it.

Of its machine's processes, control alone is watched (`fatal_steps`). Whoever keeps the others alive pauses no
longer before the tenth time than before the first: what a pause is for, and that it grows, is shown by
`test_machine_supervise`, and seventy kills with pauses of five seconds would take six minutes.
"""

import os
import sys
from pathlib import Path

if "PBX_FATAL_ORDER" in os.environ and sys.orig_argv[-2:] == ["pbxcore.machine.serving", "control"]:
    from tests.adversity.fatal_steps import arm

    arm(Path(os.environ["PBX_FATAL_ORDER"]))

if "PBX_FATAL_ORDER" in os.environ and sys.orig_argv[1:4] == ["-m", "pbxcore", "run"]:
    from pbxcore.machine import supervise

    supervise.LONGEST_PAUSE_S = supervise.FIRST_PAUSE_S

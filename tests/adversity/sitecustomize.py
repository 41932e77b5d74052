"""What Python reads at its start where this folder stands on PYTHONPATH, as `test_apply_killed` has it.

Of its machine's processes, control alone is watched (`fatal_steps`).
"""

import os
import sys
from pathlib import Path

if "PBX_FATAL_ORDER" in os.environ and sys.orig_argv[-2:] == ["pbxcore.machine.serving", "control"]:
    from tests.adversity.fatal_steps import arm

    arm(Path(os.environ["PBX_FATAL_ORDER"]))

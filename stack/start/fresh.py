"""Whether a file was written within the last minute: `fresh.py PATH`."""

import os
import sys
import time

sys.exit(time.time() - os.stat(sys.argv[1]).st_mtime > 60)  # noqa: PTH116 - pathlib takes 20 ms to import

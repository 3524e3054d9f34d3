"""`./dev bench [NAME …]`: measure the hot paths; without a name, all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def main() -> int:
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")] or NAMES
    flags = [word for word in sys.argv[1:] if word.startswith("-")]
    for name in wanted:
        if name not in NAMES:
            print(f"there is no benchmark {name}; there are {', '.join(NAMES)}", file=sys.stderr)
            return 2
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"bench.{name}", *flags], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

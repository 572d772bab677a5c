"""``python -m aetia.compat.bayesgm``."""

import sys

from aetia.compat.bayesgm.command_line import main

if __name__ == "__main__":
    sys.exit(main())

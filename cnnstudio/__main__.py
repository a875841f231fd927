"""`python -m cnnstudio` is the same program as `cnnstudio`."""

import sys

from cnnstudio.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

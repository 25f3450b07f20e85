"""The command `dawnlist`. Ctrl-C ends it without a traceback from the first moment: imports take a second."""

import sys

from pipeline.errors import STOPPED, STOPPED_WORDS


def main() -> None:
    try:
        from pipeline.commands.cli import main as run

        run()
    except KeyboardInterrupt:
        print(STOPPED_WORDS, file=sys.stderr)
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()

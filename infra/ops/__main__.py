"""`python -m infra.ops COMMAND`: the commands of operators, and of tenants with a log to verify."""

import argparse
import sys
from collections.abc import Sequence

from infra.ops import reread, verify_log
from infra.ops.errors import CommandError
from infra.ops.messages import command as messages

COULD_NOT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; 2 for a command without an answer."""
    parser = argparse.ArgumentParser(prog="python -m infra.ops", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    verify_log.register(commands)
    reread.register(commands)
    messages.register(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except CommandError as error:
        message = " ".join(str(error).split())
    except OSError as error:
        message = f"{error.filename or 'The system'}: {error.strerror or error}."
    except KeyboardInterrupt:
        message = "Interrupted."
    print(message, file=sys.stderr)
    return COULD_NOT


if __name__ == "__main__":
    sys.exit(main())

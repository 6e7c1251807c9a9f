"""How the command ends when it fails: one line on stderr, and the exit code.

0    done
1    it failed: a StreamlightError, or out of memory
2    the arguments are wrong: a UsageError, or typer's own complaint
3    --verify found that the output differs from its input
70   internal error: a bug of streamlight (EX_SOFTWARE of sysexits.h)
130  stopped by Ctrl-C (128 + SIGINT); 143 by SIGTERM, 129 by SIGHUP
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from streamlight.cli.messages import say
from streamlight.errors import StreamlightError, UsageError, VerificationError

FAILED, USAGE, DIFFERENT, INTERNAL, INTERRUPTED = 1, 2, 3, 70, 130


@contextmanager
def one_line_errors(debug: bool = False) -> Iterator[None]:
    """Turn any exception of a command into one line on stderr and an exit code.

    Args:
        debug: print the traceback above the line.

    Raises:
        typer.Exit: with the code.
    """
    try:
        yield
    except (typer.Exit, BrokenPipeError):  # typer ends quietly when stdout was closed
        raise
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exception(error)
        say(describe(error, debug))
        raise typer.Exit(exit_code(error)) from None


def exit_code(error: BaseException) -> int:
    """Return the exit code of a command that ended with this exception."""
    match error:
        case UsageError():
            return USAGE
        case VerificationError():
            return DIFFERENT
        case StreamlightError() | MemoryError():
            return FAILED
        case KeyboardInterrupt():
            return INTERRUPTED
    return INTERNAL


def describe(error: BaseException, debug: bool = False) -> str:
    """Say in a line what went wrong."""
    match error:
        case StreamlightError():
            return f"error: {error}"
        case MemoryError():
            return "error: out of memory; --model gladnet-fast or a smaller picture needs less"
        case KeyboardInterrupt():
            return "interrupted"
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    remedy = "please report it" if debug else "run with --debug and report it"
    return f"internal error: {type(error).__name__}: {error}{notes}; {remedy}"

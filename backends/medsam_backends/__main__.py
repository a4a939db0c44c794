"""``python -m medsam_backends`` and the command ``medsamlite`` begin here, with nothing imported yet."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command; one that is interrupted before it could begin says so in a sentence as well."""
    try:
        from .cli.main import main as run

        return run()
    except KeyboardInterrupt:
        print("Cancelled: nothing was written.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

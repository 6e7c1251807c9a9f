"""`python -m streamlight` is the command `streamlight`."""

from streamlight.cli import main

if __name__ == "__main__":
    main()

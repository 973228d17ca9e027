"""`python -m reason_iad` is `reason-iad`."""

from reason_iad.cli import main

if __name__ == "__main__":
    main(prog_name="python -m reason_iad")

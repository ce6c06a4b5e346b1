"""`python -m kwdag` is `kwdag`."""

from kwdag.cli import main

if __name__ == "__main__":
    main()

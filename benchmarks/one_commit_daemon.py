"""The daemon itself, but with a commit for each request: what its group commit is measured against."""

from notifier.cli import main
from notifier.store.sqlite import writer

if __name__ == "__main__":
    writer.MAX_BATCH = 1
    main()

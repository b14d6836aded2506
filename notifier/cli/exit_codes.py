"""Exit codes that no error class has: ``NotifierError.exit_status`` holds the others."""

import signal

EX_USAGE = 64  # CONTRACT, Commands: wrong usage; the number is that of sysexits.h
EX_SOFTWARE = 70  # sysexits.h: an internal error; 1 would say that a task did not complete
SIGNAL_EXIT_BASE = 128  # POSIX shells add the number of the signal that ended a program
EX_INTERRUPTED = SIGNAL_EXIT_BASE + signal.SIGINT
EX_PIPE = SIGNAL_EXIT_BASE + signal.SIGPIPE

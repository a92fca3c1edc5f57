"""Python without what Windows lacks, for every process that has this folder in PYTHONPATH.

Python imports a module of this name when it starts, so the processes that decode images and those
that libraries start are covered, too.
"""

import multiprocessing
import os
import signal
import sys

for module in ("fcntl", "grp", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[module] = None  # its import is an ImportError then

for lacking in (
    "alarm", "getitimer", "pause", "pthread_kill", "pthread_sigmask", "setitimer", "siginterrupt",
    "sigpending", "sigtimedwait", "sigwait", "sigwaitinfo", "SIGALRM", "SIGHUP",
    "SIGPIPE", "SIGPROF", "SIGQUIT", "SIGSTOP", "SIGTSTP", "SIGUSR1", "SIGUSR2", "ITIMER_PROF",
    "ITIMER_REAL", "ITIMER_VIRTUAL",
):  # fmt: skip
    if hasattr(signal, lacking):
        delattr(signal, lacking)

for lacking in (
    "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "fchmod", "fchown", "fork", "forkpty",
    "geteuid", "getloadavg", "getpgid", "getuid", "killpg", "mkfifo", "nice", "posix_fallocate",
    "pread", "pwrite", "sched_getaffinity", "sched_setaffinity", "setpgid", "setsid", "statvfs",
    "sysconf", "wait3", "wait4", "waitid",
):  # fmt: skip
    if hasattr(os, lacking):
        delattr(os, lacking)

multiprocessing.set_start_method("spawn")

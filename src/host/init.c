// The first process of a container that was started with --init: starts the program, hands signals on to it, and takes
// the exit status of every process that lost its parent. It runs before anything of the runtime is set up.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

enum { CANNOT_START = 127, NOT_EXECUTABLE = 126, SIGNALLED = 128 };

// Those that a fault raises in the process itself are not for anybody else.
static void signals_to_forward(sigset_t *set) {
  static const int own[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};
  sigfillset(set);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(set, own[i]);
}

static _Noreturn void run(char **argv, const sigset_t *before) {
  // A group of its own that has the terminal, so that keys reach the program and not its init.
  setpgid(0, 0);
  signal(SIGTTOU, SIG_IGN);
  tcsetpgrp(STDIN_FILENO, getpid());
  signal(SIGTTOU, SIG_DFL);
  sigprocmask(SIG_SETMASK, before, NULL);
  execvp(argv[0], argv);
  int code = errno == ENOENT ? CANNOT_START : NOT_EXECUTABLE;
  fprintf(stderr, "exec %s: %s\n", argv[0], strerror(errno));
  _exit(code);
}

int init_run(int argc, char **argv) {
  int first = argc > 1 && !strcmp(argv[1], "--") ? 2 : 1;
  if (first >= argc) {
    fprintf(stderr, "%s: no program to run\n", argv[0]);
    return CANNOT_START;
  }
  sigset_t waited, before;
  signals_to_forward(&waited);
  sigprocmask(SIG_SETMASK, &waited, &before);
  pid_t child = fork();
  if (child < 0) {
    fprintf(stderr, "%s: fork: %s\n", argv[0], strerror(errno));
    return NOT_EXECUTABLE;
  }
  if (child == 0) run(argv + first, &before);
  for (;;) {
    int signal_number = sigwaitinfo(&waited, NULL);
    if (signal_number > 0 && signal_number != SIGCHLD) kill(child, signal_number);
    // SIGCHLDs merge into one: all that have ended are taken every time.
    int status;
    int code = -1;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended == child) code = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNALLED + WTERMSIG(status);
    }
    if (code >= 0) return code;
  }
}

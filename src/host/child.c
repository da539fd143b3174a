// From clone to execve. The child shares our memory until it executes, and other threads may hold any lock: so no JavaScript, no
// malloc, no stdio, and raw system calls where glibc's wrappers do more than the call (setuid tells all threads).
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "host.h"

#ifdef SYS_setuid32 // i386 and arm: the plain ones take 16 bits
#define SETUID SYS_setuid32
#define SETGID SYS_setgid32
#define SETGROUPS SYS_setgroups32
#else
#define SETUID SYS_setuid
#define SETGID SYS_setgid
#define SETGROUPS SYS_setgroups
#endif

typedef struct Task {
  const ChildPlan *plan;
  int report; // the error goes here; closed by execve
  sigset_t signals;
} Task;

enum { STACK_SIZE = 64 * 1024 };

static const char *const steps[] = {"sigaction", "setsid", "setpgid", "prctl", "cgroup", "setns", "oom_score_adj", "chdir", "dup2", "close", "setgroups", "setgid", "setuid", "execve"};
enum { SIGACTION, SETSID, SETPGID, PRCTL, CGROUP, SETNS, OOM, CHDIR, DUP, CLOSE, GROUPS, GID, UID, EXECVE };

static _Noreturn void give_up(int report, int step) {
  const int message[2] = {errno, step};
  ssize_t ignored = write(report, message, sizeof message);
  (void)ignored;
  _exit(127);
}

// Writes "0" (ourselves) or a number into a file.
static int write_number(const char *path, int value) {
  char text[16], *p = text + sizeof text;
  size_t n = 0;
  unsigned rest = value < 0 ? 0u - (unsigned)value : (unsigned)value;
  do *--p = (char)('0' + rest % 10), n++;
  while (rest /= 10);
  if (value < 0) *--p = '-', n++;
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t r = write(fd, p, n);
  int saved = errno;
  close(fd);
  errno = saved;
  return r == (ssize_t)n ? 0 : -1;
}

static int enter_cgroup(const char *dir) {
  char path[PATH_MAX];
  size_t n = strlen(dir);
  static const char file[] = "/cgroup.procs";
  if (n + sizeof file > sizeof path) return errno = ENAMETOOLONG, -1;
  memcpy(path, dir, n);
  memcpy(path + n, file, sizeof file);
  return write_number(path, 0);
}

static int enter_namespace(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int r = setns(fd, 0), saved = errno;
  close(fd);
  errno = saved;
  return r;
}

// Puts the descriptors in their places without treading on one that is still to be moved, and closes the rest.
static int arrange_fds(const ChildPlan *plan, int *report) {
  int high = plan->fd_count > 3 ? plan->fd_count : 3, moved[plan->fd_count + 1];
  int safe = fcntl(*report, F_DUPFD_CLOEXEC, high);
  if (safe < 0) return -1;
  *report = safe;
  for (int i = 0; i < plan->fd_count; i++) {
    moved[i] = plan->fds[i];
    if (moved[i] >= 0 && moved[i] < high && (moved[i] = fcntl(moved[i], F_DUPFD_CLOEXEC, high)) < 0) return -1;
  }
  for (int i = 0; i < plan->fd_count; i++)
    if (moved[i] >= 0 && dup2(moved[i], i) < 0) return -1; // dup2 clears close-on-exec
  return 0;
}

static void close_others(const ChildPlan *plan, int report) {
  for (int i = 0; i < plan->fd_count; i++)
    if (plan->fds[i] < 0) close(i);
  unsigned first = (unsigned)plan->fd_count;
#ifdef SYS_close_range
  if ((unsigned)report > first) syscall(SYS_close_range, first, (unsigned)report - 1, 0);
  if (!syscall(SYS_close_range, (unsigned)report + 1, ~0u, 0)) return;
#endif
  // before Linux 5.9: all of ours are close-on-exec, those that we were born with are few and low
  for (int fd = (int)first; fd < 256; fd++)
    if (fd != report) close(fd);
}

static int child(void *argument) {
  Task *t = argument;
  const ChildPlan *plan = t->plan;
  int report = t->report;
  const struct sigaction standard = {.sa_handler = SIG_DFL};
  for (int s = 1; s < NSIG; s++)
    if (s != SIGKILL && s != SIGSTOP && s != 32 && s != 33) sigaction(s, &standard, NULL); // 32 and 33 are glibc's own
  if (plan->new_session && setsid() < 0) give_up(report, SETSID);
  if (plan->new_group && setpgid(0, 0)) give_up(report, SETPGID);
  if (plan->death_signal && prctl(PR_SET_PDEATHSIG, plan->death_signal)) give_up(report, PRCTL);
  if (plan->umask >= 0) umask((mode_t)plan->umask);
  for (char *const *c = plan->cgroups; c && *c; c++)
    if (enter_cgroup(*c)) give_up(report, CGROUP);
  if (plan->oom_score_adj != INT_MIN && write_number("/proc/self/oom_score_adj", plan->oom_score_adj)) give_up(report, OOM);
  for (char *const *n = plan->namespaces; n && *n; n++)
    if (enter_namespace(*n)) give_up(report, SETNS);
  if (plan->cwd && chdir(plan->cwd)) give_up(report, CHDIR);
  if (arrange_fds(plan, &report)) give_up(report, DUP);
  close_others(plan, report);
  if (plan->group_count >= 0 && syscall(SETGROUPS, plan->group_count, plan->groups)) give_up(report, GROUPS);
  if (plan->gid >= 0 && syscall(SETGID, (unsigned)plan->gid)) give_up(report, GID);
  if (plan->uid >= 0 && syscall(SETUID, (unsigned)plan->uid)) give_up(report, UID);
  sigprocmask(SIG_SETMASK, &t->signals, NULL);
  execve(plan->file, plan->argv, plan->envp);
  give_up(report, EXECVE);
}

pid_t child_start(const ChildPlan *plan, const char **failed) {
  int report[2], message[2];
  *failed = "pipe";
  if (pipe2(report, O_CLOEXEC)) return -errno;
  CLEANUP_CLOSE int from = report[0];
  CLEANUP_CLOSE int to = report[1];
  *failed = "mmap";
  uint8_t *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return -errno;
  Task task = {.plan = plan, .report = to};
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &task.signals); // no handler of ours may run in the child
  // CLONE_VFORK: we sleep until it executes or ends, so that it may use our memory
  int pid = clone(child, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, &task), err = errno;
  pthread_sigmask(SIG_SETMASK, &task.signals, NULL);
  munmap(stack, STACK_SIZE);
  *failed = "clone";
  if (pid < 0) return -err;
  close(STEAL_FD(to));
  ssize_t n;
  do n = read(from, message, sizeof message);
  while (n < 0 && errno == EINTR);
  if (n != sizeof message) return pid; // closed by execve
  waitpid(pid, NULL, 0);
  *failed = steps[message[1]];
  return -message[0];
}

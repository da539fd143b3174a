// host:tty
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "host.h"

static struct termios original;
static volatile int changed_fd = -1; // the terminal that must be put back

void tty_restore(void) {
  if (changed_fd >= 0) tcsetattr(changed_fd, TCSADRAIN, &original);
}

static void die_tidily(int number) {
  tty_restore();
  signal(number, SIG_DFL);
  raise(number); // delivered when this handler returns
}

// While a mode is changed, signals that would end us put it back first; those with a handler of the program are its own business.
void tty_guard(void) {
  static const int fatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  if (changed_fd < 0) return;
  for (size_t i = 0; i < COUNT(fatal); i++) {
    struct sigaction now;
    if (!sigaction(fatal[i], NULL, &now) && now.sa_handler == SIG_DFL) {
      now = (struct sigaction){.sa_handler = die_tidily};
      sigaction(fatal[i], &now, NULL);
    }
  }
}

static HOST_FN(is_tty) {
  (void)self;
  int fd;
  return arg_int(ctx, ARG(0), -1, &fd) ? JS_EXCEPTION : JS_NewBool(ctx, isatty(fd));
}

static HOST_FN(set_mode) {
  (void)self;
  static const char *const modes[] = {"normal", "raw", "no-echo"};
  int fd, mode = choice(ctx, ARG(1), modes, COUNT(modes), -1);
  if (mode < 0 || arg_int(ctx, ARG(0), -1, &fd)) return JS_EXCEPTION;
  if (changed_fd < 0) {
    if (!mode) return JS_UNDEFINED;
    if (tcgetattr(fd, &original)) return throw_errno(ctx, errno, "tcgetattr", NULL);
    changed_fd = fd;
    tty_guard();
  }
  struct termios t = original;
  if (mode == 1) {
    cfmakeraw(&t);
  } else if (mode == 2) {
    t.c_lflag &= ~(tcflag_t)ECHO;
    t.c_lflag |= ECHONL | ICANON | ISIG;
  }
  while (tcsetattr(fd, TCSADRAIN, &t))
    if (errno != EINTR) return throw_errno(ctx, errno, "tcsetattr", NULL);
  if (!mode) changed_fd = -1;
  return JS_UNDEFINED;
}

static HOST_FN(window_size) {
  (void)self;
  int fd;
  struct winsize w;
  if (arg_int(ctx, ARG(0), -1, &fd)) return JS_EXCEPTION;
  if (ioctl(fd, TIOCGWINSZ, &w) || !w.ws_col || !w.ws_row) return JS_NULL;
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "columns", JS_NewInt32(ctx, w.ws_col));
  set(ctx, o, "rows", JS_NewInt32(ctx, w.ws_row));
  return o;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("isTty", 1, is_tty),
    JS_CFUNC_DEF("setMode", 2, set_mode),
    JS_CFUNC_DEF("windowSize", 1, window_size),
};

static int init(JSContext *ctx, JSModuleDef *m) { return JS_SetModuleExportList(ctx, m, functions, COUNT(functions)); }

int mod_tty(JSContext *ctx) { return module_define(ctx, "host:tty", functions, COUNT(functions), init, NULL, 0); }

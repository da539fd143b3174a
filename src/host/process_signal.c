// Signals: names, handlers, sending.
#include <signal.h>
#include <stdio.h>

#include "process.h"

static const struct {
  const char *name;
  int number;
} signals[] = {
    {"HUP", SIGHUP},       {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"ILL", SIGILL},       {"TRAP", SIGTRAP},     {"ABRT", SIGABRT},   {"BUS", SIGBUS},
    {"FPE", SIGFPE},       {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},     {"USR2", SIGUSR2},     {"PIPE", SIGPIPE},   {"ALRM", SIGALRM},
    {"TERM", SIGTERM},     {"CHLD", SIGCHLD}, {"CONT", SIGCONT}, {"STOP", SIGSTOP},     {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN},   {"TTOU", SIGTTOU},
    {"URG", SIGURG},       {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF},     {"WINCH", SIGWINCH}, {"IO", SIGIO},
    {"PWR", SIGPWR},       {"SYS", SIGSYS},   {"STKFLT", SIGSTKFLT}, {"IOT", SIGIOT}, {"CLD", SIGCHLD}, {"POLL", SIGIO},
};

const char *signal_name(int number) {
  static char real_time[16];
  for (size_t i = 0; i < COUNT(signals); i++)
    if (signals[i].number == number) return signals[i].name;
  if (number < SIGRTMIN || number > SIGRTMAX) return NULL;
  if (number == SIGRTMIN) return "RTMIN";
  snprintf(real_time, sizeof real_time, "RTMIN+%d", number - SIGRTMIN);
  return real_time;
}

static int number_of(const char *name) { // -1 unknown
  if (!strncmp(name, "SIG", 3)) name += 3;
  for (size_t i = 0; i < COUNT(signals); i++)
    if (!strcmp(name, signals[i].name)) return signals[i].number;
  int base = !strncmp(name, "RTMIN", 5) ? SIGRTMIN : !strncmp(name, "RTMAX", 5) ? SIGRTMAX : -1;
  if (base < 0) return -1;
  int number = base + (name[5] ? atoi(name + 5) : 0);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : -1;
}

int signal_number(JSContext *ctx, JSValueConst v) {
  int n = -1;
  if (JS_IsNumber(v)) {
    if (arg_int(ctx, v, 0, &n)) return -1;
    if (n < 0 || n >= NSIG) return throw_errno(ctx, EINVAL, "signal", NULL), -1;
    return n;
  }
  CLEANUP_FREE char *name = arg_path(ctx, v);
  if (!name) return -1;
  n = number_of(name);
  if (n < 0) throw_errno(ctx, EINVAL, "signal", name);
  return n;
}

static HOST_FN(get_signal_number) {
  (void)self;
  CLEANUP_FREE char *name = arg_path(ctx, ARG(0));
  int n = name ? number_of(name) : -1;
  return !name ? JS_EXCEPTION : n < 0 ? JS_UNDEFINED : JS_NewInt32(ctx, n);
}

static HOST_FN(get_signal_name) {
  (void)self;
  int n;
  if (arg_int(ctx, ARG(0), 0, &n)) return JS_EXCEPTION;
  const char *name = signal_name(n);
  return name ? JS_NewString(ctx, name) : JS_UNDEFINED;
}

static HOST_FN(send_signal) {
  (void)self;
  int pid, number = signal_number(ctx, ARG(1));
  if (number < 0 || arg_int(ctx, ARG(0), 0, &pid)) return JS_EXCEPTION;
  if (!pid || pid == -1) return throw_errno(ctx, EINVAL, "kill", NULL); // our own group or everybody: never meant
  return kill(pid, number) ? throw_errno(ctx, errno, "kill", NULL) : JS_UNDEFINED;
}

// --- handlers ---------------------------------------------------------------------------------------------------------------------
typedef struct Handler {
  uv_signal_t uv;
  JSValue callback;
} Handler;
static Handler *handlers[NSIG];

static void fire(uv_signal_t *handle, int number) {
  Handler *h = (Handler *)handle;
  JSContext *ctx = host.ctx;
  JSValue callback = JS_DupValue(ctx, h->callback), name = JS_NewString(ctx, signal_name(number));
  runtime_call(callback, 1, (JSValueConst *)&name);
  JS_FreeValue(ctx, name);
  JS_FreeValue(ctx, callback);
}

static void closed(uv_handle_t *handle) { free(handle); }

static HOST_FN(on_signal) {
  (void)self;
  int number = signal_number(ctx, ARG(0));
  if (number < 0) return JS_EXCEPTION;
  if (number == 0 || number == SIGCHLD || number == SIGPIPE) return throw_errno(ctx, EINVAL, "onSignal", signal_name(number));
  Handler *h = handlers[number];
  if (JS_IsNull(ARG(1))) {
    if (h) {
      handlers[number] = NULL;
      JS_FreeValue(ctx, h->callback);
      uv_close((uv_handle_t *)&h->uv, closed);
      tty_guard();
    }
    return JS_UNDEFINED;
  }
  if (!JS_IsFunction(ctx, ARG(1))) return JS_ThrowTypeError(ctx, "expected a function or null");
  if (!h) {
    h = calloc(1, sizeof *h);
    if (!h) return JS_ThrowOutOfMemory(ctx);
    h->callback = JS_UNDEFINED;
    uv_signal_init(host.loop, &h->uv);
    int r = uv_signal_start(&h->uv, fire, number);
    if (r) {
      uv_close((uv_handle_t *)&h->uv, closed);
      return throw_errno(ctx, -r, "onSignal", signal_name(number));
    }
    uv_unref((uv_handle_t *)&h->uv);
    handlers[number] = h;
  }
  JS_FreeValue(ctx, h->callback);
  h->callback = JS_DupValue(ctx, argv[1]);
  return JS_UNDEFINED;
}

const JSCFunctionListEntry process_signal_functions[] = {
    JS_CFUNC_DEF("onSignal", 2, on_signal),
    JS_CFUNC_DEF("kill", 2, send_signal),
    JS_CFUNC_DEF("signalNumber", 1, get_signal_number),
    JS_CFUNC_DEF("signalName", 1, get_signal_name),
};
const int process_signal_count = COUNT(process_signal_functions);

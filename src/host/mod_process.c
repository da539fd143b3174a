// host:process — ourselves: arguments, environment, limits, the supervisor. Children: process_child.c; signals: process_signal.c.
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/un.h>

#include "process.h"

extern char **environ;

// --- environment ------------------------------------------------------------------------------------------------------------------
static HOST_FN(get_env) {
  (void)self;
  CLEANUP_FREE char *name = arg_path(ctx, ARG(0));
  if (!name) return JS_EXCEPTION;
  const char *value = getenv(name);
  return value ? new_path(ctx, value, strlen(value)) : JS_UNDEFINED;
}

static HOST_FN(environment) {
  (void)self, (void)argc, (void)argv;
  JSValue o = JS_NewObject(ctx);
  for (char **e = environ; e && *e; e++) {
    const char *equals = strchr(*e, '=');
    if (!equals) continue;
    JSValue name = new_path(ctx, *e, (size_t)(equals - *e));
    JSAtom atom = JS_ValueToAtom(ctx, name);
    JS_DefinePropertyValue(ctx, o, atom, new_path(ctx, equals + 1, strlen(equals + 1)), JS_PROP_C_W_E);
    JS_FreeAtom(ctx, atom);
    JS_FreeValue(ctx, name);
  }
  return o;
}

static HOST_FN(get_cwd) {
  (void)self, (void)argc, (void)argv;
  char path[PATH_MAX];
  return getcwd(path, sizeof path) ? new_path(ctx, path, strlen(path)) : throw_errno(ctx, errno, "getcwd", NULL);
}

static HOST_FN(change_dir) {
  (void)self;
  CLEANUP_FREE char *path = arg_path(ctx, ARG(0));
  if (!path) return JS_EXCEPTION;
  return chdir(path) ? throw_errno(ctx, errno, "chdir", path) : JS_UNDEFINED;
}

static HOST_FN(set_umask) {
  (void)self;
  int mask;
  if (arg_int(ctx, ARG(0), 022, &mask)) return JS_EXCEPTION;
  return JS_NewInt32(ctx, (int)umask((mode_t)mask));
}

static HOST_FN(ids) {
  (void)self, (void)argc, (void)argv;
  JSValue o = JS_NewObject(ctx), list = JS_NewArray(ctx);
  set(ctx, o, "uid", JS_NewInt64(ctx, getuid()));
  set(ctx, o, "gid", JS_NewInt64(ctx, getgid()));
  set(ctx, o, "effectiveUid", JS_NewInt64(ctx, geteuid()));
  set(ctx, o, "effectiveGid", JS_NewInt64(ctx, getegid()));
  int n = getgroups(0, NULL);
  CLEANUP_FREE gid_t *groups = n > 0 ? calloc((size_t)n, sizeof *groups) : NULL;
  n = groups ? getgroups(n, groups) : 0;
  for (int i = 0; i < n; i++) JS_DefinePropertyValueUint32(ctx, list, (uint32_t)i, JS_NewInt64(ctx, groups[i]), JS_PROP_C_W_E);
  set(ctx, o, "groups", list);
  return o;
}

static HOST_FN(executable_path) {
  (void)self, (void)argc, (void)argv;
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  return n < 0 ? throw_errno(ctx, errno, "readlink", "/proc/self/exe") : new_path(ctx, path, (size_t)n);
}

// --- ending, errors, diagnostics -----------------------------------------------------------------------------------------------------
static HOST_FN(do_exit) {
  (void)self;
  int code;
  if (arg_int(ctx, ARG(0), 0, &code)) return JS_EXCEPTION;
  runtime_exit(code);
}

static HOST_FN(on_uncaught) {
  (void)self;
  runtime_set_uncaught(ctx, ARG(0));
  return JS_UNDEFINED;
}

static HOST_FN(print_log) {
  (void)self;
  size_t size;
  CLEANUP_FREE char *text = arg_text(ctx, ARG(0), &size);
  if (!text) return JS_EXCEPTION;
  text[size] = '\n'; // in the place of the NUL: one write keeps lines of several processes apart
  for (size_t done = 0; done < size + 1;) {
    ssize_t n = write(2, text + done, size + 1 - done);
    if (n < 0 && errno != EINTR) break;
    if (n > 0) done += (size_t)n;
  }
  return JS_UNDEFINED;
}

static HOST_FN(run_gc) {
  (void)self, (void)ctx, (void)argc, (void)argv;
  JS_RunGC(host.rt);
  return JS_UNDEFINED;
}

static HOST_FN(memory_usage) {
  (void)self, (void)argc, (void)argv;
  JSMemoryUsage m;
  JS_ComputeMemoryUsage(host.rt, &m);
  size_t resident = 0;
  uv_resident_set_memory(&resident);
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "heapUsedBytes", JS_NewInt64(ctx, m.memory_used_size));
  set(ctx, o, "heapReservedBytes", JS_NewInt64(ctx, m.malloc_size));
  set(ctx, o, "residentBytes", JS_NewInt64(ctx, (int64_t)resident));
  return o;
}

// --- the supervisor ---------------------------------------------------------------------------------------------------------------------
static HOST_FN(notify_supervisor) {
  (void)self;
  size_t size;
  CLEANUP_FREE char *state = arg_text(ctx, ARG(0), &size);
  const char *path = getenv("NOTIFY_SOCKET");
  if (!state) return JS_EXCEPTION;
  if (!path || !*path) return JS_FALSE;
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  size_t n = strlen(path);
  if (n >= sizeof a.sun_path) return throw_errno(ctx, ENAMETOOLONG, "notify", path);
  memcpy(a.sun_path, path, n);
  if (*path == '@') a.sun_path[0] = 0;
  CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return throw_errno(ctx, errno, "socket", path);
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*path != '@'));
  if (sendto(fd, state, size, MSG_NOSIGNAL, (struct sockaddr *)&a, length) < 0) return throw_errno(ctx, errno, "notify", path);
  return JS_TRUE;
}

static HOST_FN(activation_fds) {
  (void)self, (void)argc, (void)argv;
  JSValue list = JS_NewArray(ctx);
  const char *owner = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
  if (!owner || !count || atol(owner) != (long)getpid()) return list;
  int n = atoi(count);
  for (int i = 0; i < n && i < 1024; i++) {
    int fd = 3 + i;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC)) continue;
    size_t size = names ? strcspn(names, ":") : 0;
    JSValue o = JS_NewObject(ctx);
    set(ctx, o, "fd", JS_NewInt32(ctx, fd));
    set(ctx, o, "name", new_path(ctx, names ? names : "", size));
    JS_DefinePropertyValueUint32(ctx, list, (uint32_t)i, o, JS_PROP_C_W_E);
    if (names) names += size + (names[size] == ':');
  }
  return list;
}

// --- the system ----------------------------------------------------------------------------------------------------------------------------
static HOST_FN(get_uname) {
  (void)self, (void)argc, (void)argv;
  struct utsname u;
  if (uname(&u)) return throw_errno(ctx, errno, "uname", NULL);
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "sysname", JS_NewString(ctx, u.sysname));
  set(ctx, o, "nodename", JS_NewString(ctx, u.nodename));
  set(ctx, o, "release", JS_NewString(ctx, u.release));
  set(ctx, o, "version", JS_NewString(ctx, u.version));
  set(ctx, o, "machine", JS_NewString(ctx, u.machine));
  return o;
}

static HOST_FN(get_sysconf) {
  (void)self, (void)argc, (void)argv;
  JSValue o = JS_NewObject(ctx);
  int64_t page = sysconf(_SC_PAGESIZE);
  set(ctx, o, "processors", JS_NewInt64(ctx, sysconf(_SC_NPROCESSORS_ONLN)));
  set(ctx, o, "pageSizeBytes", JS_NewInt64(ctx, page));
  set(ctx, o, "clockTicksPerSecond", JS_NewInt64(ctx, sysconf(_SC_CLK_TCK)));
  set(ctx, o, "totalMemoryBytes", JS_NewInt64(ctx, (int64_t)sysconf(_SC_PHYS_PAGES) * page));
  return o;
}

static int resource_of(JSContext *ctx, JSValueConst name) {
  static const char *const names[] = {"cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};
  static const int numbers[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_LOCKS, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_RTPRIO, RLIMIT_RTTIME};
  int i = choice(ctx, name, names, COUNT(names), -1);
  return i < 0 ? -1 : numbers[i];
}

static JSValue limit_value(JSContext *ctx, rlim_t v) { return v == RLIM_INFINITY ? JS_NewFloat64(ctx, __builtin_inf()) : JS_NewInt64(ctx, (int64_t)v); }

static HOST_FN(get_limit) {
  (void)self;
  struct rlimit r;
  int which = resource_of(ctx, ARG(0));
  if (which < 0) return JS_EXCEPTION;
  if (getrlimit(which, &r)) return throw_errno(ctx, errno, "getrlimit", NULL);
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "soft", limit_value(ctx, r.rlim_cur));
  set(ctx, o, "hard", limit_value(ctx, r.rlim_max));
  return o;
}

static int option_limit(JSContext *ctx, JSValueConst o, const char *name, rlim_t *out) {
  JSValue v;
  double d = -1;
  int there = option(ctx, o, name, &v);
  if (there > 0) there = JS_ToFloat64(ctx, &d, v) ? -1 : 1;
  JS_FreeValue(ctx, v);
  if (there < 0) return -1;
  if (!(d >= 0)) return JS_ThrowTypeError(ctx, "a limit is a number or Infinity"), -1;
  *out = d > 9e15 ? RLIM_INFINITY : (rlim_t)d;
  return 0;
}

static HOST_FN(set_limit) {
  (void)self;
  struct rlimit r;
  int which = resource_of(ctx, ARG(0));
  if (which < 0 || option_limit(ctx, ARG(1), "soft", &r.rlim_cur) || option_limit(ctx, ARG(1), "hard", &r.rlim_max)) return JS_EXCEPTION;
  return setrlimit(which, &r) ? throw_errno(ctx, errno, "setrlimit", NULL) : JS_UNDEFINED;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("getEnv", 1, get_env),
    JS_CFUNC_DEF("environment", 0, environment),
    JS_CFUNC_DEF("cwd", 0, get_cwd),
    JS_CFUNC_DEF("chdir", 1, change_dir),
    JS_CFUNC_DEF("umask", 1, set_umask),
    JS_CFUNC_DEF("ids", 0, ids),
    JS_CFUNC_DEF("executablePath", 0, executable_path),
    JS_CFUNC_DEF("exit", 1, do_exit),
    JS_CFUNC_DEF("onUncaught", 1, on_uncaught),
    JS_CFUNC_DEF("log", 1, print_log),
    JS_CFUNC_DEF("runGc", 0, run_gc),
    JS_CFUNC_DEF("memoryUsage", 0, memory_usage),
    JS_CFUNC_DEF("notifySupervisor", 1, notify_supervisor),
    JS_CFUNC_DEF("activationFds", 0, activation_fds),
    JS_CFUNC_DEF("uname", 0, get_uname),
    JS_CFUNC_DEF("sysconf", 0, get_sysconf),
    JS_CFUNC_DEF("getResourceLimit", 1, get_limit),
    JS_CFUNC_DEF("setResourceLimit", 2, set_limit),
};

static const char *const constants[] = {"argv", "pid", "architecture", "architectureVariant"};

static int init(JSContext *ctx, JSModuleDef *m) {
  JSValue list = JS_NewArray(ctx);
  for (int i = 0; i < host.argc; i++)
    JS_DefinePropertyValueUint32(ctx, list, (uint32_t)i, new_path(ctx, host.argv[i], strlen(host.argv[i])), JS_PROP_C_W_E);
  JS_SetModuleExport(ctx, m, "argv", list);
  JS_SetModuleExport(ctx, m, "pid", JS_NewInt32(ctx, getpid()));
  JS_SetModuleExport(ctx, m, "architecture", JS_NewString(ctx, HOST_ARCHITECTURE));
  JS_SetModuleExport(ctx, m, "architectureVariant", JS_NewString(ctx, HOST_VARIANT));
  JS_SetModuleExportList(ctx, m, process_child_functions, process_child_count);
  JS_SetModuleExportList(ctx, m, process_signal_functions, process_signal_count);
  return JS_SetModuleExportList(ctx, m, functions, COUNT(functions));
}

int mod_process(JSContext *ctx) {
  if (process_child_classes(ctx)) return -1;
  JSModuleDef *m = JS_NewCModule(ctx, "host:process", init);
  if (!m) return -1;
  for (size_t i = 0; i < COUNT(constants); i++) JS_AddModuleExport(ctx, m, constants[i]);
  JS_AddModuleExportList(ctx, m, process_child_functions, process_child_count);
  JS_AddModuleExportList(ctx, m, process_signal_functions, process_signal_count);
  return JS_AddModuleExportList(ctx, m, functions, COUNT(functions));
}

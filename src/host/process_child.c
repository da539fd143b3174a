// Children: starting, waiting, orphans; and processes that are not our children.
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "process.h"

extern char **environ;

typedef struct Child {
  pid_t pid;
  bool reaped;
  int status;
  JSValue self;             // until it is reaped
  JSValue streams, promise; // of wait(); undefined until somebody asks
  Deferred wait;
  struct Child *next; // running ones
} Child;

static JSClassID child_id, watch_id;
static Child *running;
static JSValue orphan_handler;
static uv_signal_t reaper;
static bool reaping;

static void finalize(JSRuntime *rt, JSValue v) {
  Child *c = JS_GetOpaque(v, child_id);
  if (!c) return;
  JS_FreeValueRT(rt, c->streams);
  JS_FreeValueRT(rt, c->promise);
  JS_FreeValueRT(rt, c->wait.resolve);
  JS_FreeValueRT(rt, c->wait.reject);
  free(c);
}

static void mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *visit) {
  Child *c = JS_GetOpaque(v, child_id);
  if (!c) return;
  JS_MarkValue(rt, c->streams, visit);
  JS_MarkValue(rt, c->promise, visit);
  JS_MarkValue(rt, c->wait.resolve, visit);
  JS_MarkValue(rt, c->wait.reject, visit);
}
static const JSClassDef child_def = {"Child", .finalizer = finalize, .gc_mark = mark};

// --- ends -----------------------------------------------------------------------------------------------------------------------------
static JSValue exit_status(JSContext *ctx, int status) {
  JSValue o = JS_NewObject(ctx);
  const char *name = WIFSIGNALED(status) ? signal_name(WTERMSIG(status)) : NULL;
  set(ctx, o, "code", WIFEXITED(status) ? JS_NewInt32(ctx, WEXITSTATUS(status)) : JS_NULL);
  set(ctx, o, "signal", WIFSIGNALED(status) ? JS_NewString(ctx, name ? name : "UNKNOWN") : JS_NULL);
  return o;
}

static void reap(uv_signal_t *handle, int number) {
  (void)handle, (void)number;
  JSContext *ctx = host.ctx;
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    Child **slot = &running;
    while (*slot && (*slot)->pid != pid) slot = &(*slot)->next;
    Child *c = *slot;
    if (c) {
      *slot = c->next;
      c->reaped = true;
      c->status = status;
      if (deferred_pending(&c->wait)) {
        poller_hold(-1);
        deferred_resolve(ctx, &c->wait, exit_status(ctx, status));
      }
      JS_FreeValue(ctx, c->self);
      runtime_drain();
    } else if (JS_IsFunction(ctx, orphan_handler)) {
      JSValue args[2] = {JS_NewInt32(ctx, pid), exit_status(ctx, status)};
      runtime_call(orphan_handler, 2, (JSValueConst *)args);
      JS_FreeValue(ctx, args[1]);
    }
  }
}

static int start_reaping(JSContext *ctx) {
  if (reaping) return 0;
  uv_signal_init(host.loop, &reaper);
  int r = uv_signal_start(&reaper, reap, SIGCHLD);
  if (r) return throw_errno(ctx, -r, "sigaction", NULL), -1;
  uv_unref((uv_handle_t *)&reaper);
  reaping = true;
  return 0;
}

static HOST_FN(wait_child) {
  (void)argc, (void)argv;
  Child *c = JS_GetOpaque2(ctx, self, child_id);
  if (!c) return JS_EXCEPTION;
  if (JS_IsUndefined(c->promise)) {
    if (c->reaped) {
      c->promise = resolved_promise(ctx, exit_status(ctx, c->status));
    } else {
      c->promise = deferred_new(ctx, &c->wait);
      poller_hold(1);
    }
  }
  return JS_DupValue(ctx, c->promise);
}

static HOST_FN(kill_child) {
  Child *c = JS_GetOpaque2(ctx, self, child_id);
  int number = c ? signal_number(ctx, ARG(0)) : -1;
  if (number < 0) return JS_EXCEPTION;
  if (c->reaped) return JS_FALSE;
  if (!kill(c->pid, number)) return JS_TRUE;
  return throw_errno(ctx, errno, "kill", NULL);
}

static JSValue get_pid(JSContext *ctx, JSValueConst self) {
  Child *c = JS_GetOpaque2(ctx, self, child_id);
  return c ? JS_NewInt32(ctx, c->pid) : JS_EXCEPTION;
}

static JSValue get_streams(JSContext *ctx, JSValueConst self) {
  Child *c = JS_GetOpaque2(ctx, self, child_id);
  return c ? JS_DupValue(ctx, c->streams) : JS_EXCEPTION;
}

static JSValue get_stream(JSContext *ctx, JSValueConst self, int index) {
  Child *c = JS_GetOpaque2(ctx, self, child_id);
  if (!c) return JS_EXCEPTION;
  JSValue v = JS_GetPropertyUint32(ctx, c->streams, (uint32_t)index);
  return JS_IsUndefined(v) ? JS_NULL : v;
}

static const JSCFunctionListEntry child_methods[] = {
    JS_CGETSET_DEF("pid", get_pid, NULL),
    JS_CGETSET_DEF("streams", get_streams, NULL),
    JS_CGETSET_MAGIC_DEF("stdin", get_stream, NULL, 0),
    JS_CGETSET_MAGIC_DEF("stdout", get_stream, NULL, 1),
    JS_CGETSET_MAGIC_DEF("stderr", get_stream, NULL, 2),
    JS_CFUNC_DEF("wait", 0, wait_child),
    JS_CFUNC_DEF("kill", 1, kill_child),
};

// --- starting ------------------------------------------------------------------------------------------------------------------------
enum { MOST_FDS = 64 };

typedef struct Fds {
  int child[MOST_FDS], ours[MOST_FDS]; // -1: none
  bool close_child[MOST_FDS];
  int count;
} Fds;

static void fds_free(Fds *f) {
  for (int i = 0; i < f->count; i++) {
    if (f->close_child[i]) close(f->child[i]);
    if (f->ours[i] >= 0) close(f->ours[i]);
  }
}

static int fds_parse(JSContext *ctx, JSValueConst list, Fds *f) {
  static const char *const words[] = {"null", "inherit", "pipe-in", "pipe-out"};
  static const char *const standard[] = {"null", "null", "inherit"};
  int64_t count = 3;
  bool given = !JS_IsUndefined(list);
  if (given) {
    JSValue length = JS_GetPropertyStr(ctx, list, "length");
    if (JS_IsException(length) || arg_i64(ctx, length, -1, &count)) return -1;
    if (count < 0 || count > MOST_FDS) return JS_ThrowTypeError(ctx, "stdio is an array of at most %d", MOST_FDS), -1;
  }
  for (int i = 0; i < count; i++) {
    f->child[i] = f->ours[i] = -1;
    f->count = i + 1;
    JSValue v = given ? JS_GetPropertyUint32(ctx, list, (uint32_t)i) : JS_NewString(ctx, standard[i]);
    int word = -1, r = 0;
    if (JS_IsNumber(v)) r = arg_int(ctx, v, -1, &f->child[i]);
    else r = (word = choice(ctx, v, words, COUNT(words), -1)) < 0;
    JS_FreeValue(ctx, v);
    if (r) return -1;
    if (word == 0) {
      f->child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
      if (f->child[i] < 0) return throw_errno(ctx, errno, "open", "/dev/null"), -1;
      f->close_child[i] = true;
    } else if (word == 1) {
      f->child[i] = i;
    } else if (word >= 2) {
      int ends[2];
      if (pipe2(ends, O_CLOEXEC)) return throw_errno(ctx, errno, "pipe", NULL), -1;
      f->child[i] = ends[word == 3];
      f->ours[i] = ends[word == 2];
      f->close_child[i] = true;
      fcntl(f->ours[i], F_SETFL, O_NONBLOCK);
    }
  }
  return 0;
}

// The file to execute: names without a slash are looked up on the PATH of the child.
static char *find_program(const char *file, char *const *envp, int *err) {
  *err = ENOENT;
  if (strchr(file, '/')) return strdup(file);
  const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (char *const *e = envp; e && *e; e++)
    if (!strncmp(*e, "PATH=", 5)) path = *e + 5;
  for (const char *p = path; *file; p++) {
    size_t n = strcspn(p, ":");
    char *whole;
    if (asprintf(&whole, "%.*s%s%s", (int)n, p, n ? "/" : "", file) < 0) return NULL;
    struct stat st;
    if (!stat(whole, &st) && S_ISREG(st.st_mode)) {
      if (!faccessat(AT_FDCWD, whole, X_OK, AT_EACCESS)) return whole;
      *err = EACCES;
    }
    free(whole);
    p += n;
    if (!*p) break;
  }
  return NULL;
}

static char **environment_list(JSContext *ctx, JSValueConst object) {
  JSPropertyEnum *names;
  uint32_t count;
  if (JS_GetOwnPropertyNames(ctx, &names, &count, object, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY)) return NULL;
  char **list = calloc(count + 1, sizeof *list);
  bool ok = list;
  for (uint32_t i = 0; i < count; i++) {
    if (ok) {
      JSValue key = JS_AtomToString(ctx, names[i].atom), value = JS_GetProperty(ctx, object, names[i].atom);
      CLEANUP_FREE char *k = arg_path(ctx, key), *v = k ? arg_path(ctx, value) : NULL;
      ok = v && asprintf(&list[i], "%s=%s", k, v) >= 0;
      if (!ok) list[i] = NULL;
      JS_FreeValue(ctx, key);
      JS_FreeValue(ctx, value);
    }
    JS_FreeAtom(ctx, names[i].atom);
  }
  js_free(ctx, names);
  if (ok) return list;
  strings_free(list);
  return NULL;
}

typedef struct Request { // what spawn() was asked for, to be freed in one place
  char **argv, **env, **cgroups, **namespaces;
  char *file, *cwd, *program;
  uint32_t *groups;
  Fds fds;
} Request;

static void request_free(Request *r) {
  strings_free(r->argv);
  strings_free(r->env);
  strings_free(r->cgroups);
  strings_free(r->namespaces);
  free(r->file);
  free(r->cwd);
  free(r->program);
  free(r->groups);
  fds_free(&r->fds);
}
#define CLEANUP_REQUEST __attribute__((cleanup(request_free)))

static int option_strings(JSContext *ctx, JSValueConst o, const char *name, char ***out) {
  JSValue v;
  int there = option(ctx, o, name, &v);
  if (there > 0) *out = arg_strings(ctx, v);
  JS_FreeValue(ctx, v);
  return there < 0 || (there > 0 && !*out) ? -1 : 0;
}

static int option_id(JSContext *ctx, JSValueConst o, const char *name, int64_t *out) {
  JSValue v;
  *out = -1;
  int there = option(ctx, o, name, &v);
  int r = there > 0 ? arg_i64(ctx, v, -1, out) : there;
  JS_FreeValue(ctx, v);
  if (!r && there > 0 && (*out < 0 || *out > UINT32_MAX)) return JS_ThrowRangeError(ctx, "%s out of range", name), -1;
  return r;
}

static int option_groups(JSContext *ctx, JSValueConst o, ChildPlan *plan, uint32_t **out) {
  JSValue v;
  int64_t count = 0, id;
  int there = option(ctx, o, "groups", &v), r = there < 0 ? -1 : 0;
  plan->group_count = plan->uid >= 0 || plan->gid >= 0 ? 0 : -1;
  if (there > 0) {
    JSValue length = JS_GetPropertyStr(ctx, v, "length");
    r = arg_i64(ctx, length, -1, &count);
    if (!r && (count < 0 || count > 65536)) r = -1, JS_ThrowTypeError(ctx, "groups is an array of numbers");
    *out = r ? NULL : calloc((size_t)count + 1, sizeof **out);
    for (int64_t i = 0; !r && i < count; i++) {
      JSValue g = JS_GetPropertyUint32(ctx, v, (uint32_t)i);
      r = arg_i64(ctx, g, -1, &id) || !*out;
      JS_FreeValue(ctx, g);
      if (!r) (*out)[i] = (uint32_t)id;
    }
    plan->groups = *out;
    plan->group_count = (int)count;
  }
  JS_FreeValue(ctx, v);
  return r;
}

static int parse(JSContext *ctx, JSValueConst o, Request *r, ChildPlan *plan) {
  JSValue v;
  if (option_strings(ctx, o, "argv", &r->argv) || option_strings(ctx, o, "cgroups", &r->cgroups) ||
      option_strings(ctx, o, "namespaces", &r->namespaces) || option_path(ctx, o, "file", &r->file) || option_path(ctx, o, "cwd", &r->cwd))
    return -1;
  if (!r->argv || !r->argv[0]) return JS_ThrowTypeError(ctx, "argv must have at least one element"), -1;
  int there = option(ctx, o, "env", &v);
  if (there > 0) r->env = environment_list(ctx, v);
  JS_FreeValue(ctx, v);
  if (there < 0 || (there > 0 && !r->env)) return -1;
  there = option(ctx, o, "stdio", &v);
  int failed = there < 0 || fds_parse(ctx, v, &r->fds);
  JS_FreeValue(ctx, v);
  if (failed) return -1;
  if (option_id(ctx, o, "uid", &plan->uid) || option_id(ctx, o, "gid", &plan->gid) || option_groups(ctx, o, plan, &r->groups) ||
      option_bool(ctx, o, "newSession", &plan->new_session) || option_bool(ctx, o, "newGroup", &plan->new_group) ||
      option_int(ctx, o, "oomScoreAdj", INT_MIN, &plan->oom_score_adj) || option_int(ctx, o, "umask", -1, &plan->umask))
    return -1;
  there = option(ctx, o, "parentDeathSignal", &v);
  if (there > 0) plan->death_signal = signal_number(ctx, v);
  JS_FreeValue(ctx, v);
  if (there < 0 || plan->death_signal < 0) return -1;
  plan->argv = r->argv;
  plan->envp = r->env ? r->env : environ;
  plan->cwd = r->cwd;
  plan->fds = r->fds.child;
  plan->fd_count = r->fds.count;
  plan->cgroups = r->cgroups;
  plan->namespaces = r->namespaces;
  int err;
  r->program = find_program(r->file ? r->file : r->argv[0], plan->envp, &err);
  if (!r->program) return throw_errno(ctx, err, "spawn", r->file ? r->file : r->argv[0]), -1;
  plan->file = r->program;
  return 0;
}

static HOST_FN(spawn) {
  (void)self;
  CLEANUP_REQUEST Request r = {0};
  ChildPlan plan = {0};
  if (parse(ctx, ARG(0), &r, &plan) || start_reaping(ctx)) return JS_EXCEPTION;
  Child *c = calloc(1, sizeof *c);
  if (!c) return JS_ThrowOutOfMemory(ctx);
  *c = (Child){.self = JS_UNDEFINED, .streams = JS_NewArray(ctx), .promise = JS_UNDEFINED, .wait = DEFERRED_NONE};
  JSValue object = JS_NewObjectClass(ctx, (int)child_id);
  if (JS_IsException(object)) {
    JS_FreeValue(ctx, c->streams);
    free(c);
    return object;
  }
  JS_SetOpaque(object, c);
  const char *failed;
  pid_t pid = child_start(&plan, &failed);
  if (pid < 0) {
    JS_FreeValue(ctx, object);
    return throw_errno(ctx, -pid, failed, !strcmp(failed, "chdir") ? plan.cwd : plan.file);
  }
  c->pid = pid;
  c->self = JS_DupValue(ctx, object);
  c->next = running;
  running = c;
  for (int i = 0; i < r.fds.count; i++) {
    JSValue stream = JS_NULL;
    if (r.fds.ours[i] >= 0) stream = stream_new(ctx, STEAL_FD(r.fds.ours[i]), false);
    if (JS_IsException(stream)) {
      JS_FreeValue(ctx, object);
      return stream;
    }
    JS_DefinePropertyValueUint32(ctx, c->streams, (uint32_t)i, stream, JS_PROP_C_W_E);
  }
  return object;
}

static HOST_FN(become_subreaper) {
  (void)self;
  if (!JS_IsFunction(ctx, ARG(0))) return JS_ThrowTypeError(ctx, "expected a function");
  if (start_reaping(ctx)) return JS_EXCEPTION;
  if (prctl(PR_SET_CHILD_SUBREAPER, 1)) return throw_errno(ctx, errno, "prctl", NULL);
  JS_FreeValue(ctx, orphan_handler);
  orphan_handler = JS_DupValue(ctx, argv[0]);
  return JS_UNDEFINED;
}

// --- processes that are not ours -------------------------------------------------------------------------------------------------------
typedef struct PidWatch {
  Watch watch;
  Deferred ended;
  JSValue self; // while it runs
} PidWatch;

static void end_watch(PidWatch *w) {
  if (w->watch.fd < 0) return;
  JSContext *ctx = host.ctx;
  poller_forget(&w->watch);
  close(w->watch.fd);
  w->watch.fd = -1;
  poller_hold(-1);
  JSValue self = w->self;
  w->self = JS_UNDEFINED;
  deferred_resolve(ctx, &w->ended, JS_UNDEFINED);
  JS_FreeValue(ctx, self);
}

static void pid_ready(Watch *w, uint32_t events) {
  (void)events;
  end_watch((PidWatch *)w);
}

static void finalize_watch(JSRuntime *rt, JSValue v) {
  (void)rt;
  free(JS_GetOpaque(v, watch_id)); // not before its end: it holds itself
}
static const JSClassDef watch_def = {"ProcessWatch", .finalizer = finalize_watch};

static HOST_FN(watch_pid) {
  (void)self;
  int pid;
  if (arg_int(ctx, ARG(0), 0, &pid)) return JS_EXCEPTION;
  if (pid <= 0) return throw_errno(ctx, EINVAL, "pidfd_open", NULL);
  CLEANUP_CLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0 && errno != ESRCH) return throw_errno(ctx, errno, "pidfd_open", NULL);
  if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
  PidWatch *w = calloc(1, sizeof *w);
  if (!w) return JS_ThrowOutOfMemory(ctx);
  JSValue object = JS_NewObjectClass(ctx, (int)watch_id);
  if (JS_IsException(object)) {
    free(w);
    return object;
  }
  *w = (PidWatch){.watch = {.fd = -1, .ready = pid_ready}, .self = JS_UNDEFINED, .ended = DEFERRED_NONE};
  JS_SetOpaque(object, w);
  if (fd < 0) {
    set(ctx, object, "ended", resolved_promise(ctx, JS_UNDEFINED));
    return object;
  }
  set(ctx, object, "ended", deferred_new(ctx, &w->ended));
  w->watch.fd = STEAL_FD(fd);
  poller_hold(1);
  w->self = JS_DupValue(ctx, object);
  int r = poller_want(&w->watch, EPOLLIN);
  if (r) {
    end_watch(w);
    JS_FreeValue(ctx, object);
    return throw_errno(ctx, -r, "epoll", NULL);
  }
  return object;
}

static HOST_FN(close_watch) {
  (void)argc, (void)argv;
  PidWatch *w = JS_GetOpaque2(ctx, self, watch_id);
  if (!w) return JS_EXCEPTION;
  end_watch(w);
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry watch_methods[] = {JS_CFUNC_DEF("close", 0, close_watch)};

int process_child_classes(JSContext *ctx) {
  orphan_handler = JS_UNDEFINED;
  return class_define(ctx, &child_id, &child_def, child_methods, COUNT(child_methods)) ||
         class_define(ctx, &watch_id, &watch_def, watch_methods, COUNT(watch_methods));
}

const JSCFunctionListEntry process_child_functions[] = {
    JS_CFUNC_DEF("spawn", 1, spawn),
    JS_CFUNC_DEF("becomeSubreaper", 1, become_subreaper),
    JS_CFUNC_DEF("watchPid", 1, watch_pid),
};
const int process_child_count = COUNT(process_child_functions);

// What the files of the host share. Error contract: a function that takes a JSContext and returns int gives -1 with a JavaScript
// exception pending; one that does not gives a negative errno. JS runs on the main thread alone.
#ifndef HOST_H
#define HOST_H

#include <errno.h>
#include <quickjs/quickjs.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <uv.h>

#include "cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HOST_FN(name) JSValue name(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)
#define UNUSED __attribute__((unused))
#define ARG(n) (argc > (n) ? argv[n] : JS_UNDEFINED)

// --- runtime.c ------------------------------------------------------------------------------------------------------------
typedef struct Host {
  JSRuntime *rt;
  JSContext *ctx;
  uv_loop_t *loop;
  int argc;
  char **argv;
} Host;
extern Host host;

#ifdef GC_STRESS
#define GC_POINT JS_RunGC(host.rt)
#else
#define GC_POINT (void)0
#endif

int runtime_start(void);                                 // context and modules; 0 or -1 (reported)
int runtime_run(void);                                   // evaluates the bundle, runs the loop, returns the exit code
void runtime_drain(void);                                // jobs and unhandled rejections: at the end of every uv callback
void runtime_call(JSValueConst fn, int argc, JSValueConst *argv); // calls from the loop; exceptions are uncaught ones; drains
void runtime_set_uncaught(JSContext *ctx, JSValueConst handler);
_Noreturn void runtime_exit(int code);                   // restores terminals

typedef struct Deferred {
  JSValue resolve, reject;
} Deferred;
#define DEFERRED_NONE ((Deferred){JS_UNDEFINED, JS_UNDEFINED})
JSValue deferred_new(JSContext *ctx, Deferred *d);       // the promise
bool deferred_pending(const Deferred *d);
void deferred_resolve(JSContext *ctx, Deferred *d, JSValue value); // takes value; does not drain
void deferred_reject(JSContext *ctx, Deferred *d, JSValue error);  // takes error
JSValue resolved_promise(JSContext *ctx, JSValue value);

// A module: exports of a function list, and more by `extra` (constants, classes).
int module_define(JSContext *ctx, const char *name, const JSCFunctionListEntry *list, int count, JSModuleInitFunc *init,
                  const char *const *extra, int extra_count);

// A class whose objects carry a C pointer.
int class_define(JSContext *ctx, JSClassID *id, const JSClassDef *def, const JSCFunctionListEntry *list, int count);

// --- error.c -----------------------------------------------------------------------------------------------------------------
JSValue host_error(JSContext *ctx, int err, const char *syscall, const char *path, const char *target);
JSValue host_error_code(JSContext *ctx, const char *code, int err, const char *syscall, const char *path, const char *message);
JSValue throw_errno(JSContext *ctx, int err, const char *syscall, const char *path);
JSValue throw_errno2(JSContext *ctx, int err, const char *syscall, const char *path, const char *target);
JSValue throw_code(JSContext *ctx, const char *code, const char *syscall, const char *path, const char *message);

// --- value.c: JavaScript values in and out -----------------------------------------------------------------------------------------
typedef struct Data { // bytes of a Uint8Array (in place) or of a text (a copy)
  const uint8_t *p;
  size_t size;
  char *copy;
} Data;
static inline void cleanup_data_at(Data *d) { free(d->copy); }
#define CLEANUP_DATA __attribute__((cleanup(cleanup_data_at)))

int arg_int(JSContext *ctx, JSValueConst v, int fallback, int *out);          // undefined gives fallback; NaN and fractions are TypeErrors
int arg_i64(JSContext *ctx, JSValueConst v, int64_t fallback, int64_t *out);
int arg_bytes(JSContext *ctx, JSValueConst v, uint8_t **p, size_t *size);      // Uint8Array
int arg_data(JSContext *ctx, JSValueConst v, Data *out);                       // Uint8Array or string
int arg_range(JSContext *ctx, JSValueConst from, JSValueConst to, size_t size, size_t *a, size_t *b);
char *arg_path(JSContext *ctx, JSValueConst v);                                // malloc'ed; NUL inside is EINVAL
char *arg_text(JSContext *ctx, JSValueConst v, size_t *size);                  // malloc'ed, escapes undone, NUL-terminated, NULs allowed
char **arg_strings(JSContext *ctx, JSValueConst array);                        // NULL-terminated
void strings_free(char **list);
static inline void cleanup_strings_at(char ***list) { strings_free(*list); }
#define CLEANUP_STRINGS __attribute__((cleanup(cleanup_strings_at)))
int option(JSContext *ctx, JSValueConst object, const char *name, JSValue *out); // 1 there, 0 undefined, -1; caller frees *out
int option_int(JSContext *ctx, JSValueConst object, const char *name, int fallback, int *out);
int option_bool(JSContext *ctx, JSValueConst object, const char *name, bool *out);
int option_path(JSContext *ctx, JSValueConst object, const char *name, char **out); // NULL when undefined
int choice(JSContext *ctx, JSValueConst v, const char *const *names, int count, int fallback); // index, or -1 with TypeError
JSValue new_bytes(JSContext *ctx, const void *p, size_t size);                  // Uint8Array, a copy
JSValue new_bytes_take(JSContext *ctx, void *js_malloced, size_t size);         // Uint8Array over memory of js_malloc
JSValue new_text(JSContext *ctx, const void *p, size_t size);                   // bad UTF-8 becomes U+FFFD
JSValue new_path(JSContext *ctx, const char *p, size_t size);                   // bad UTF-8 becomes U+DC80…
void set(JSContext *ctx, JSValueConst object, const char *name, JSValue value); // takes value

// --- buffer.c: growing memory, for threads without JS too ----------------------------------------------------------------------------
typedef struct Buffer {
  uint8_t *p;
  size_t size, room;
} Buffer;
static inline void cleanup_buffer_at(Buffer *b) { free(b->p); }
#define CLEANUP_BUFFER __attribute__((cleanup(cleanup_buffer_at)))
int buffer_reserve(Buffer *b, size_t more); // 0 or -ENOMEM
int buffer_add(Buffer *b, const void *p, size_t size);

// --- work.c: jobs on the pool ------------------------------------------------------------------------------------------------------------
typedef struct Work Work;
struct Work { // first member of a job
  uv_work_t req;
  Deferred deferred;
  void (*run)(Work *);                        // on the pool: no JS; sets err (positive) and failed
  JSValue (*result)(JSContext *, Work *);     // on the main thread when err is 0
  void (*destroy)(Work *);                    // frees what the job holds, not the job itself
  int err;
  const char *failed;
  char *path, *target;                        // freed with the job
};
JSValue work_start(JSContext *ctx, Work *job); // takes job (malloc'ed); the promise

// --- poller.c: descriptors on the loop ------------------------------------------------------------------------------------------------------
// uv_poll would set O_NONBLOCK on descriptors that we share with others (stdio), so they wait in an epoll of ours that the loop watches.
typedef struct Watch Watch;
struct Watch {
  int fd;
  uint32_t armed;                         // epoll events in the kernel now
  bool always; // epoll refuses it (a file): it counts as ready
  Watch *next_ready;
  bool queued;
  void (*ready)(Watch *, uint32_t events); // must call poller_idle(w) when it wants nothing more
};
int poller_start(void);
int poller_want(Watch *w, uint32_t events); // 0 or -errno
void poller_idle(Watch *w);
void poller_kick(Watch *w);               // call ready(w, EPOLLIN|EPOLLOUT) in the next turn of the loop
void poller_forget(Watch *w);             // before the descriptor closes
void poller_hold(int change);             // +1 / -1: pending operations keep the process alive
uint64_t poller_turn(void);               // number of this turn of the loop, for fairness

// --- stream.c -----------------------------------------------------------------------------------------------------------------------------------
int stream_class(JSContext *ctx);
JSValue stream_new(JSContext *ctx, int fd, bool records); // takes fd, also on failure
int stream_release_fd(JSContext *ctx, JSValueConst stream);

// --- tls.c: what a stream asks of it -------------------------------------------------------------------------------------------------------------
typedef struct Tls Tls;
// Bytes done, 0 for the end, or -EAGAIN (with the events to wait for in *want), another -errno, or TLS_FAILED with a text in tls_message().
#define TLS_FAILED (-10000)
#define TLS_TRUNCATED (-10001)
ssize_t tls_read(Tls *t, void *p, size_t size, uint32_t *want);
ssize_t tls_write(Tls *t, const void *p, size_t size, uint32_t *want);
bool tls_buffered(Tls *t);
int tls_shutdown(Tls *t, uint32_t *want);
int tls_handshake(Tls *t, uint32_t *want); // 0 done
const char *tls_message(Tls *t);
bool tls_refused(Tls *t); // the certificate was the reason
JSValue tls_info(JSContext *ctx, Tls *t);
void tls_free(Tls *t);
int tls_module(JSContext *ctx); // class of trust stores
HOST_FN(tls_trust_store);
Tls *tls_new(JSContext *ctx, JSValueConst options, int fd); // NULL with exception

// --- address.c ---------------------------------------------------------------------------------------------------------------------------------
struct sockaddr_storage;
typedef struct Address {
  union {
    uint64_t align_;
    char raw[128];
  } sa;
  socklen_t size;
  int family;
  int dir_fd; // open while a unix path longer than sun_path is in use; -1 otherwise
  char *label;
} Address;
int address_parse(JSContext *ctx, JSValueConst v, Address *out);
void address_free(Address *a);
static inline void cleanup_address_at(Address *a) { address_free(a); }
#define CLEANUP_ADDRESS __attribute__((cleanup(cleanup_address_at)))
JSValue address_text(JSContext *ctx, const void *sa);

// --- netlink.c, netns ---------------------------------------------------------------------------------------------------------------------------
int netlink_class(JSContext *ctx);
HOST_FN(netlink_open);
HOST_FN(netlink_in_netns);

// --- datagram.c ---------------------------------------------------------------------------------------------------------------------------------
int datagram_class(JSContext *ctx);
HOST_FN(datagram_open);

// --- child.c: from clone to exec, without JS and without malloc -----------------------------------------------------------------------------------
typedef struct ChildPlan {
  const char *file; // absolute or with a slash
  char *const *argv, *const *envp;
  const char *cwd;
  const int *fds; // index: descriptor in the child, value: ours or -1 (closed)
  int fd_count;
  int64_t uid, gid; // -1: as we are
  const uint32_t *groups;
  int group_count; // -1: as we are
  bool new_session, new_group;
  int death_signal;
  char *const *cgroups, *const *namespaces; // NULL or NULL-terminated
  int oom_score_adj;                         // INT_MIN: as we are
  int umask;                                 // -1: as we are
} ChildPlan;
// pid, or -errno with *failed naming the step.
pid_t child_start(const ChildPlan *plan, const char **failed);

// --- root.c: names below a directory -----------------------------------------------------------------------------------------------------------------
// Opens `path` as if `root` were '/'. `flags` as for open; O_NOFOLLOW concerns the last component. -errno.
int root_open(int root, const char *path, int flags, unsigned mode);
// Opens the parent of the last component; *name points into `path` (or is "." for the root). -errno.
int root_parent(int root, char *path, const char **name);

// --- tree.c: whole trees, on the pool --------------------------------------------------------------------------------------------------------------------
typedef struct TreeCount {
  uint64_t entries, size, allocated;
} TreeCount;
typedef struct TreeFailure {
  int err;
  const char *syscall;
  char *path;
} TreeFailure;
int tree_remove(int dir, const char *name, TreeCount *count, TreeFailure *why);
int tree_usage(int dir, const char *name, TreeCount *count, TreeFailure *why);
int tree_copy(int from, int to, TreeCount *count, TreeFailure *why);
int file_copy(int from, int to, uint64_t *size, const char **failed); // contents, keeping holes

// --- sha256.c --------------------------------------------------------------------------------------------------------------------------------------------
typedef void Sha256Blocks(uint32_t state[8], const uint8_t *data, size_t blocks);
typedef struct Sha256 {
  uint32_t state[8];
  uint64_t size;
  uint8_t block[64];
} Sha256;
void sha256_init(Sha256 *s);
void sha256_update(Sha256 *s, const void *p, size_t size);
void sha256_update_with(Sha256 *s, const void *p, size_t size, Sha256Blocks *blocks);
void sha256_final(const Sha256 *s, uint8_t out[32], Sha256Blocks *blocks); // s stays usable; blocks may be NULL
const char *sha256_name(void);
Sha256Blocks *sha256_by_name(const char *name);
int sha256_names(const char **names, int room);
void hex_digits(const uint8_t *p, size_t size, char *out); // 2 × size, not terminated

// --- tty, timers -------------------------------------------------------------------------------------------------------------------------------------------
void tty_restore(void);       // safe in a signal handler
void tty_guard(void);         // again after a signal has got its default action back
int timers_globals(JSContext *ctx);

// --- the modules: one symbol each -----------------------------------------------------------------------------------------------------------------------------
int mod_error(JSContext *ctx);
int mod_process(JSContext *ctx);
int mod_fs(JSContext *ctx);
int mod_net(JSContext *ctx);
int mod_dns(JSContext *ctx);
int mod_crypto(JSContext *ctx);
int mod_compress(JSContext *ctx);
int mod_delta(JSContext *ctx);
int mod_bytes(JSContext *ctx);
int mod_tty(JSContext *ctx);
int mod_timers(JSContext *ctx);

#endif

// host:crypto
#include <fcntl.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha1.h>
#include <psa/crypto.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "host.h"

static JSClassID sha256_id;
static JSValue sha256_constructor;

static void finalize(JSRuntime *rt, JSValue v) {
  (void)rt;
  free(JS_GetOpaque(v, sha256_id));
}
static const JSClassDef sha256_def = {"Sha256", .finalizer = finalize};

typedef struct Running {
  Sha256 sha;
  bool busy; // a job of the pool adds to it
} Running;

static JSValue sha256_object(JSContext *ctx, const Sha256 *state) {
  Running *s = calloc(1, sizeof *s);
  if (!s) return JS_ThrowOutOfMemory(ctx);
  s->sha = *state;
  JSValue object = JS_NewObjectClass(ctx, (int)sha256_id);
  if (JS_IsException(object)) free(s);
  else JS_SetOpaque(object, s);
  return object;
}

static Running *idle_running(JSContext *ctx, JSValueConst self) {
  Running *s = JS_GetOpaque2(ctx, self, sha256_id);
  if (s && s->busy) {
    throw_errno(ctx, EBUSY, "Sha256", NULL);
    return NULL;
  }
  return s;
}

static Sha256 *idle(JSContext *ctx, JSValueConst self) {
  Running *s = idle_running(ctx, self);
  return s ? &s->sha : NULL;
}

static HOST_FN(construct) {
  (void)self, (void)argc, (void)argv;
  Sha256 s;
  sha256_init(&s);
  return sha256_object(ctx, &s);
}

static HOST_FN(update) {
  Sha256 *s = idle(ctx, self);
  CLEANUP_DATA Data d = {0};
  if (!s || arg_data(ctx, ARG(0), &d)) return JS_EXCEPTION;
  sha256_update(s, d.p, d.size);
  return JS_DupValue(ctx, self);
}

typedef struct Later {
  Work work;
  Running *running;
  JSValue self, data; // kept alive
  const uint8_t *p;
  size_t size;
} Later;

static void later_run(Work *work) {
  Later *job = (Later *)work;
  sha256_update(&job->running->sha, job->p, job->size);
}

static void later_destroy(Work *work) {
  Later *job = (Later *)work;
  job->running->busy = false;
  JS_FreeValue(host.ctx, job->data);
  JS_FreeValue(host.ctx, job->self);
}

static HOST_FN(update_later) {
  Running *s = idle_running(ctx, self);
  uint8_t *p;
  size_t size;
  if (!s || arg_bytes(ctx, ARG(0), &p, &size)) return JS_EXCEPTION;
  Later *job = calloc(1, sizeof *job);
  if (!job) return JS_ThrowOutOfMemory(ctx);
  *job = (Later){.work = {.run = later_run, .destroy = later_destroy}, .running = s, .self = JS_DupValue(ctx, self), .data = JS_DupValue(ctx, argv[0]), .p = p, .size = size};
  s->busy = true;
  return work_start(ctx, &job->work);
}

static JSValue hex_of(JSContext *ctx, const uint8_t *p, size_t size) {
  CLEANUP_FREE char *out = malloc(2 * size + 1);
  if (!out) return JS_ThrowOutOfMemory(ctx);
  hex_digits(p, size, out);
  return JS_NewStringLen(ctx, out, 2 * size);
}

static HOST_FN(hex) {
  (void)argc, (void)argv;
  Sha256 *s = idle(ctx, self);
  uint8_t hash[32];
  if (!s) return JS_EXCEPTION;
  sha256_final(s, hash, NULL);
  return hex_of(ctx, hash, 32);
}

static HOST_FN(digest) {
  (void)argc, (void)argv;
  Sha256 *s = idle(ctx, self);
  uint8_t hash[32];
  if (!s) return JS_EXCEPTION;
  sha256_final(s, hash, NULL);
  return new_bytes(ctx, hash, 32);
}

// Saved: "sha256.1", size (little endian), state, block: 8 + 8 + 32 + 64 bytes.
static const char saved_magic[8] = "sha256.1";

static HOST_FN(save) {
  (void)argc, (void)argv;
  Sha256 *s = idle(ctx, self);
  uint8_t out[112] = {0};
  if (!s) return JS_EXCEPTION;
  memcpy(out, saved_magic, 8);
  memcpy(out + 8, &s->size, 8);
  memcpy(out + 16, s->state, 32);
  memcpy(out + 48, s->block, s->size % 64);
  return new_bytes(ctx, out, sizeof out);
}

static HOST_FN(restore) {
  (void)self;
  uint8_t *p;
  size_t size;
  Sha256 s;
  if (arg_bytes(ctx, ARG(0), &p, &size)) return JS_EXCEPTION;
  if (size != 112 || memcmp(p, saved_magic, 8)) return throw_errno(ctx, EINVAL, "Sha256.restore", NULL);
  memcpy(&s.size, p + 8, 8);
  memcpy(s.state, p + 16, 32);
  memcpy(s.block, p + 48, 64);
  return sha256_object(ctx, &s);
}

static const JSCFunctionListEntry methods[] = {
    JS_CFUNC_DEF("update", 1, update),
    JS_CFUNC_DEF("updateLater", 1, update_later),
    JS_CFUNC_DEF("hex", 0, hex),
    JS_CFUNC_DEF("digest", 0, digest),
    JS_CFUNC_DEF("save", 0, save),
};

// --- functions ------------------------------------------------------------------------------------------------------------------
static HOST_FN(sha256) {
  (void)self;
  CLEANUP_DATA Data d = {0};
  Sha256 s;
  uint8_t hash[32];
  if (arg_data(ctx, ARG(0), &d)) return JS_EXCEPTION;
  sha256_init(&s);
  sha256_update(&s, d.p, d.size);
  sha256_final(&s, hash, NULL);
  return hex_of(ctx, hash, 32);
}

// For protocols that want it; it proves nothing.
static HOST_FN(sha1) {
  (void)self;
  CLEANUP_DATA Data d = {0};
  uint8_t hash[20];
  if (arg_data(ctx, ARG(0), &d)) return JS_EXCEPTION;
  if (mbedtls_sha1(d.p, d.size, hash)) return throw_errno(ctx, EIO, "sha1", NULL);
  return hex_of(ctx, hash, sizeof hash);
}

static HOST_FN(verify_signature) {
  (void)self;
  CLEANUP_DATA Data message = {0}, signature = {0};
  Sha256 s;
  uint8_t hash[32];
  size_t key_size;
  CLEANUP_FREE char *key = arg_text(ctx, ARG(0), &key_size);
  if (!key || arg_data(ctx, ARG(1), &message) || arg_data(ctx, ARG(2), &signature)) return JS_EXCEPTION;
  if (psa_crypto_init() != PSA_SUCCESS) return throw_errno(ctx, EIO, "psa_crypto_init", NULL);
  sha256_init(&s);
  sha256_update(&s, message.p, message.size);
  sha256_final(&s, hash, NULL);
  mbedtls_pk_context pk;
  mbedtls_pk_init(&pk);
  // PEM is told from DER by the NUL at its end, which counts.
  int unreadable = mbedtls_pk_parse_public_key(&pk, (const uint8_t *)key, key_size + 1);
  int wrong = unreadable || mbedtls_pk_verify(&pk, MBEDTLS_MD_SHA256, hash, sizeof hash, signature.p, signature.size);
  mbedtls_pk_free(&pk);
  return unreadable ? throw_errno(ctx, EINVAL, "verifySignature", NULL) : JS_NewBool(ctx, !wrong);
}

static HOST_FN(sha256_with) {
  (void)self;
  CLEANUP_DATA Data d = {0};
  Sha256 s;
  uint8_t hash[32];
  CLEANUP_FREE char *name = arg_path(ctx, ARG(0));
  if (!name || arg_data(ctx, ARG(1), &d)) return JS_EXCEPTION;
  Sha256Blocks *blocks = sha256_by_name(name);
  if (!blocks) return throw_errno(ctx, ENOSYS, "sha256With", name);
  sha256_init(&s);
  sha256_update_with(&s, d.p, d.size, blocks);
  sha256_final(&s, hash, blocks);
  return hex_of(ctx, hash, 32);
}

static HOST_FN(implementations) {
  (void)self, (void)argc, (void)argv;
  const char *names[4];
  int n = sha256_names(names, COUNT(names));
  JSValue list = JS_NewArray(ctx);
  for (int i = 0; i < n; i++) JS_SetPropertyUint32(ctx, list, (uint32_t)i, JS_NewString(ctx, names[i]));
  return list;
}

typedef struct FileHash {
  Work work;
  int fd;
  uint64_t size;
  uint8_t hash[32];
} FileHash;

static void file_run(Work *work) {
  FileHash *job = (FileHash *)work;
  const size_t room = 256 * 1024;
  CLEANUP_FREE uint8_t *buffer = malloc(room);
  Sha256 s;
  sha256_init(&s);
  if (!buffer) {
    work->err = ENOMEM;
    return;
  }
  if (work->path) {
    job->fd = open(work->path, O_RDONLY | O_CLOEXEC);
    if (job->fd < 0) {
      work->err = errno, work->failed = "open";
      return;
    }
  }
  posix_fadvise(job->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  for (;;) {
    ssize_t n = pread(job->fd, buffer, room, (off_t)s.size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) work->err = errno, work->failed = "read";
    if (n <= 0) break;
    sha256_update(&s, buffer, (size_t)n);
  }
  job->size = s.size;
  sha256_final(&s, job->hash, NULL);
}

static JSValue file_result(JSContext *ctx, Work *work) {
  FileHash *job = (FileHash *)work;
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "hex", hex_of(ctx, job->hash, 32));
  set(ctx, o, "sizeBytes", JS_NewInt64(ctx, (int64_t)job->size));
  return o;
}

static void file_destroy(Work *work) {
  FileHash *job = (FileHash *)work;
  if (job->fd >= 0) close(job->fd);
}

static HOST_FN(sha256_file) {
  (void)self;
  CLEANUP_FREE char *path = NULL;
  int fd = -1;
  if (JS_IsString(ARG(0)) ? !(path = arg_path(ctx, argv[0])) : arg_int(ctx, ARG(0), -1, &fd)) return JS_EXCEPTION;
  // a copy: the caller may close its descriptor while the job runs
  if (!path && (fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0) return throw_errno(ctx, errno, "dup", NULL);
  FileHash *job = calloc(1, sizeof *job);
  if (!job) {
    if (fd >= 0) close(fd);
    return JS_ThrowOutOfMemory(ctx);
  }
  job->work = (Work){.run = file_run, .result = file_result, .destroy = file_destroy, .path = STEAL_PTR(path)};
  job->fd = fd;
  return work_start(ctx, &job->work);
}

static int random_fill(JSContext *ctx, JSValueConst count, uint8_t **p, int *n) {
  if (arg_int(ctx, count, -1, n)) return -1;
  if (*n < 0 || *n > 65536) {
    JS_ThrowRangeError(ctx, "0 … 65536 random bytes");
    return -1;
  }
  *p = malloc((size_t)*n + 1);
  for (int done = 0; *p && done < *n;) {
    ssize_t r = getrandom(*p + done, (size_t)(*n - done), 0);
    if (r < 0 && errno != EINTR) {
      throw_errno(ctx, errno, "getrandom", NULL);
      free(*p);
      return -1;
    }
    if (r > 0) done += (int)r;
  }
  if (!*p) JS_ThrowOutOfMemory(ctx);
  return *p ? 0 : -1;
}

static HOST_FN(random_bytes) {
  (void)self;
  CLEANUP_FREE uint8_t *p = NULL;
  int n;
  if (random_fill(ctx, ARG(0), &p, &n)) return p = NULL, JS_EXCEPTION;
  return new_bytes(ctx, p, (size_t)n);
}

static HOST_FN(random_hex) {
  (void)self;
  CLEANUP_FREE uint8_t *p = NULL;
  int n;
  if (random_fill(ctx, ARG(0), &p, &n)) return p = NULL, JS_EXCEPTION;
  return hex_of(ctx, p, (size_t)n);
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("sha256", 1, sha256),
    JS_CFUNC_DEF("verifySignature", 3, verify_signature),
    JS_CFUNC_DEF("sha1", 1, sha1),
    JS_CFUNC_DEF("sha256With", 2, sha256_with),
    JS_CFUNC_DEF("sha256Implementations", 0, implementations),
    JS_CFUNC_DEF("sha256File", 1, sha256_file),
    JS_CFUNC_DEF("randomBytes", 1, random_bytes),
    JS_CFUNC_DEF("randomHex", 1, random_hex),
};
static const JSCFunctionListEntry statics[] = {JS_CFUNC_DEF("restore", 1, restore)};

static int init(JSContext *ctx, JSModuleDef *m) {
  JS_SetModuleExport(ctx, m, "Sha256", JS_DupValue(ctx, sha256_constructor));
  JS_SetModuleExport(ctx, m, "sha256Implementation", JS_NewString(ctx, sha256_name()));
  return JS_SetModuleExportList(ctx, m, functions, COUNT(functions));
}

int mod_crypto(JSContext *ctx) {
  static const char *const extra[] = {"Sha256", "sha256Implementation"};
  if (class_define(ctx, &sha256_id, &sha256_def, methods, COUNT(methods))) return -1;
  sha256_constructor = JS_NewCFunction2(ctx, construct, "Sha256", 0, JS_CFUNC_constructor, 0);
  JSValue prototype = JS_GetClassProto(ctx, sha256_id);
  JS_SetConstructor(ctx, sha256_constructor, prototype);
  JS_FreeValue(ctx, prototype);
  JS_SetPropertyFunctionList(ctx, sha256_constructor, statics, COUNT(statics));
  return module_define(ctx, "host:crypto", functions, COUNT(functions), init, extra, COUNT(extra));
}

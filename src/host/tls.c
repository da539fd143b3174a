// TLS by mbedTLS, for stream.c.
#include <arpa/inet.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "host.h"

struct Tls {
  int fd, error;
  mbedtls_ssl_context ssl;
  mbedtls_ssl_config config;
  mbedtls_x509_crt own;
  mbedtls_pk_context key;
  JSValue trust; // the store that config points into
  char **alpn;
  char message[320];
};

static JSClassID trust_id;

static int random_fill(void *context, unsigned char *p, size_t size) {
  (void)context;
  while (size) {
    ssize_t n = getrandom(p, size, 0);
    if (n < 0 && errno != EINTR) return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    if (n > 0) p += n, size -= (size_t)n;
  }
  return 0;
}

// --- the transport ------------------------------------------------------------------------------------------------------------------
static int send_bytes(void *context, const unsigned char *p, size_t size) {
  Tls *t = context;
  ssize_t n = send(t->fd, p, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0) return (int)n;
  if (errno == EAGAIN || errno == EINTR) return MBEDTLS_ERR_SSL_WANT_WRITE;
  t->error = errno;
  return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int receive_bytes(void *context, unsigned char *p, size_t size) {
  Tls *t = context;
  ssize_t n = recv(t->fd, p, size, MSG_DONTWAIT);
  if (n >= 0) return (int)n;
  if (errno == EAGAIN || errno == EINTR) return MBEDTLS_ERR_SSL_WANT_READ;
  t->error = errno;
  return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

// The result of a call of mbedTLS in our terms.
static int outcome(Tls *t, int r, uint32_t *want) {
  *want = r == MBEDTLS_ERR_SSL_WANT_WRITE ? EPOLLOUT : EPOLLIN;
  if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE) return -EAGAIN;
  if (t->error) return -t->error;
  if (r == MBEDTLS_ERR_SSL_CONN_EOF) {
    snprintf(t->message, sizeof t->message, "the connection broke off");
    return TLS_TRUNCATED;
  }
  uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);
  if (r == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && flags && flags != UINT32_MAX) {
    char *p = t->message;
    mbedtls_x509_crt_verify_info(p, sizeof t->message, "", flags);
    for (char *line = p; *line; line++)
      if (*line == '\n') *line = line[1] ? ';' : 0;
  } else {
    char text[160];
    mbedtls_strerror(r, text, sizeof text);
    snprintf(t->message, sizeof t->message, "%s", text);
  }
  return TLS_FAILED;
}

ssize_t tls_read(Tls *t, void *p, size_t size, uint32_t *want) {
  for (;;) {
    int r = mbedtls_ssl_read(&t->ssl, p, size);
    if (r > 0) return r;
    if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return 0;
    if (r == 0 || r == MBEDTLS_ERR_SSL_CONN_EOF) return TLS_TRUNCATED;
    if (r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) continue;
    return outcome(t, r, want);
  }
}

ssize_t tls_write(Tls *t, const void *p, size_t size, uint32_t *want) {
  if (!size) return 0;
  int r = mbedtls_ssl_write(&t->ssl, p, size);
  return r > 0 ? r : outcome(t, r, want);
}

bool tls_buffered(Tls *t) { return mbedtls_ssl_get_bytes_avail(&t->ssl) || mbedtls_ssl_check_pending(&t->ssl); }

int tls_shutdown(Tls *t, uint32_t *want) {
  int r = mbedtls_ssl_close_notify(&t->ssl);
  return r ? outcome(t, r, want) : 0;
}

int tls_handshake(Tls *t, uint32_t *want) {
  int r = mbedtls_ssl_handshake(&t->ssl);
  return r ? outcome(t, r, want) : 0;
}

const char *tls_message(Tls *t) { return t->message; }

bool tls_refused(Tls *t) {
  uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);
  return flags && flags != UINT32_MAX;
}

JSValue tls_info(JSContext *ctx, Tls *t) {
  const char *alpn = mbedtls_ssl_get_alpn_protocol(&t->ssl);
  JSValue o = JS_NewObject(ctx);
  set(ctx, o, "version", JS_NewString(ctx, mbedtls_ssl_get_version(&t->ssl)));
  set(ctx, o, "cipher", JS_NewString(ctx, mbedtls_ssl_get_ciphersuite(&t->ssl)));
  set(ctx, o, "alpn", alpn ? JS_NewString(ctx, alpn) : JS_NULL);
  return o;
}

void tls_free(Tls *t) {
  mbedtls_ssl_free(&t->ssl);
  mbedtls_ssl_config_free(&t->config);
  mbedtls_x509_crt_free(&t->own);
  mbedtls_pk_free(&t->key);
  JS_FreeValueRT(host.rt, t->trust);
  strings_free(t->alpn);
  free(t);
}

// --- trust stores ---------------------------------------------------------------------------------------------------------------------
static void finalize_trust(JSRuntime *rt, JSValue v) {
  (void)rt;
  mbedtls_x509_crt *chain = JS_GetOpaque(v, trust_id);
  if (!chain) return;
  mbedtls_x509_crt_free(chain);
  free(chain);
}
static const JSClassDef trust_def = {"TrustStore", .finalizer = finalize_trust};

static JSValue certificate_count(JSContext *ctx, JSValueConst self) {
  mbedtls_x509_crt *c = JS_GetOpaque2(ctx, self, trust_id);
  if (!c) return JS_EXCEPTION;
  int n = 0;
  for (; c; c = c->next) n += c->raw.p != NULL;
  return JS_NewInt32(ctx, n);
}
static const JSCFunctionListEntry trust_methods[] = {JS_CGETSET_DEF("certificateCount", certificate_count, NULL)};

int tls_module(JSContext *ctx) { return class_define(ctx, &trust_id, &trust_def, trust_methods, COUNT(trust_methods)); }

static int add_path(JSContext *ctx, mbedtls_x509_crt *chain, const char *path, bool required) {
  struct stat st;
  if (stat(path, &st)) {
    if (!required && (errno == ENOENT || errno == ENOTDIR)) return 0;
    return throw_errno(ctx, errno, "trustStore", path), -1;
  }
  int r = S_ISDIR(st.st_mode) ? mbedtls_x509_crt_parse_path(chain, path) : mbedtls_x509_crt_parse_file(chain, path);
  if (r == MBEDTLS_ERR_PK_FILE_IO_ERROR || r == MBEDTLS_ERR_X509_FILE_IO_ERROR) return throw_errno(ctx, EIO, "trustStore", path), -1;
  return 0; // what cannot be parsed is left out
}

static int option_list(JSContext *ctx, JSValueConst o, const char *name, char ***out) {
  JSValue v;
  *out = NULL;
  int there = option(ctx, o, name, &v);
  if (there > 0) *out = arg_strings(ctx, v);
  JS_FreeValue(ctx, v);
  return there < 0 || (there > 0 && !*out) ? -1 : 0;
}

HOST_FN(tls_trust_store) {
  (void)self;
  CLEANUP_STRINGS char **paths = NULL;
  CLEANUP_STRINGS char **pem = NULL;
  bool required;
  if (option_list(ctx, ARG(0), "paths", &paths) || option_list(ctx, ARG(0), "pem", &pem) || option_bool(ctx, ARG(0), "required", &required))
    return JS_EXCEPTION;
  if (psa_crypto_init() != PSA_SUCCESS) return throw_errno(ctx, EIO, "psa_crypto_init", NULL);
  mbedtls_x509_crt *chain = calloc(1, sizeof *chain);
  JSValue object = chain ? JS_NewObjectClass(ctx, (int)trust_id) : JS_ThrowOutOfMemory(ctx);
  if (JS_IsException(object)) {
    free(chain);
    return object;
  }
  mbedtls_x509_crt_init(chain);
  JS_SetOpaque(object, chain);
  for (char **p = paths; p && *p; p++)
    if (add_path(ctx, chain, *p, required)) {
      JS_FreeValue(ctx, object);
      return JS_EXCEPTION;
    }
  for (char **p = pem; p && *p; p++) mbedtls_x509_crt_parse(chain, (unsigned char *)*p, strlen(*p) + 1);
  return object;
}

// --- a connection ---------------------------------------------------------------------------------------------------------------------
static int certificate_error(JSContext *ctx, const char *what, int r) {
  char reason[128], text[192];
  mbedtls_strerror(r, reason, sizeof reason);
  snprintf(text, sizeof text, "tls: %s: %s (EINVAL)", what, reason);
  throw_code(ctx, "EINVAL", "tls", NULL, text);
  return -1;
}

static int configure(JSContext *ctx, Tls *t, JSValueConst options) {
  bool insecure, server;
  CLEANUP_FREE char *name = NULL, *certificate = NULL, *key = NULL;
  if (option_path(ctx, options, "serverName", &name) || option_path(ctx, options, "certificate", &certificate) ||
      option_path(ctx, options, "key", &key) || option_bool(ctx, options, "insecure", &insecure) || option_bool(ctx, options, "server", &server) || option_list(ctx, options, "alpn", &t->alpn))
    return -1;
  int given = option(ctx, options, "trust", &t->trust);
  if (given < 0) return -1;
  mbedtls_x509_crt *trusted = given ? JS_GetOpaque2(ctx, t->trust, trust_id) : NULL;
  if (given && !trusted) return -1;
  if (server ? !certificate || !key : !trusted || !name) return JS_ThrowTypeError(ctx, server ? "a server wants certificate and key" : "startTls wants serverName and trust"), -1;
  if (server && !trusted) insecure = true; // every client may come
  int r = mbedtls_ssl_config_defaults(&t->config, server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (r) return certificate_error(ctx, "configuration", r);
  mbedtls_ssl_conf_rng(&t->config, random_fill, NULL);
  mbedtls_ssl_conf_authmode(&t->config, insecure ? MBEDTLS_SSL_VERIFY_NONE : MBEDTLS_SSL_VERIFY_REQUIRED);
  if (trusted) mbedtls_ssl_conf_ca_chain(&t->config, trusted, NULL);
  if (t->alpn && (r = mbedtls_ssl_conf_alpn_protocols(&t->config, (const char **)t->alpn))) return certificate_error(ctx, "alpn", r);
  if (certificate) {
    r = mbedtls_x509_crt_parse(&t->own, (unsigned char *)certificate, strlen(certificate) + 1);
    if (r) return certificate_error(ctx, "certificate", r);
    r = key ? mbedtls_pk_parse_key(&t->key, (unsigned char *)key, strlen(key) + 1, NULL, 0, random_fill, NULL) : MBEDTLS_ERR_PK_KEY_INVALID_FORMAT;
    if (!r) r = mbedtls_ssl_conf_own_cert(&t->config, &t->own, &t->key);
    if (r) return certificate_error(ctx, "key", r);
  }
  r = mbedtls_ssl_setup(&t->ssl, &t->config);
  if (!r && !server) r = mbedtls_ssl_set_hostname(&t->ssl, name);
  if (r) return certificate_error(ctx, "set up", r);
  mbedtls_ssl_set_bio(&t->ssl, t, send_bytes, receive_bytes, NULL);
  return 0;
}

Tls *tls_new(JSContext *ctx, JSValueConst options, int fd) {
  if (psa_crypto_init() != PSA_SUCCESS) return throw_errno(ctx, EIO, "psa_crypto_init", NULL), NULL;
  Tls *t = calloc(1, sizeof *t);
  if (!t) return JS_ThrowOutOfMemory(ctx), NULL;
  t->fd = fd;
  t->trust = JS_UNDEFINED;
  mbedtls_ssl_init(&t->ssl);
  mbedtls_ssl_config_init(&t->config);
  mbedtls_x509_crt_init(&t->own);
  mbedtls_pk_init(&t->key);
  if (!configure(ctx, t, options)) return t;
  tls_free(t);
  return NULL;
}

// Addresses: { unix } or { address, port }.
#include <arpa/inet.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host.h"

void address_free(Address *a) {
  free(STEAL_PTR(a->label));
  if (a->size && a->dir_fd >= 0) close(STEAL_FD(a->dir_fd));
}

static int unix_address(JSContext *ctx, Address *out) {
  struct sockaddr_un *un = (struct sockaddr_un *)out->sa.raw;
  const char *path = out->label;
  size_t n = strlen(path);
  un->sun_family = AF_UNIX;
  out->family = AF_UNIX;
  if (*path == '@') {
    if (n > sizeof un->sun_path) return throw_errno(ctx, ENAMETOOLONG, "socket", path), -1;
    memcpy(un->sun_path, path, n);
    un->sun_path[0] = 0;
    out->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    return 0;
  }
  char short_path[sizeof un->sun_path];
  if (n >= sizeof un->sun_path) { // through the directory's descriptor
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;
    if (!dir) return throw_errno(ctx, ENAMETOOLONG, "socket", path), -1;
    out->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (out->dir_fd < 0) return throw_errno(ctx, errno, "open", path), -1;
    int m = snprintf(short_path, sizeof short_path, "/proc/self/fd/%d/%s", out->dir_fd, slash + 1);
    if (m >= (int)sizeof short_path) {
      close(STEAL_FD(out->dir_fd));
      return throw_errno(ctx, ENAMETOOLONG, "socket", path), -1;
    }
    path = short_path;
    n = (size_t)m;
  }
  memcpy(un->sun_path, path, n);
  out->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
  return 0;
}

int address_parse(JSContext *ctx, JSValueConst v, Address *out) {
  memset(out, 0, sizeof *out);
  out->dir_fd = -1;
  if (option_path(ctx, v, "unix", &out->label)) return -1;
  if (out->label) return unix_address(ctx, out);
  CLEANUP_FREE char *text = NULL;
  int port;
  if (option_path(ctx, v, "address", &text) || option_int(ctx, v, "port", -1, &port)) return -1;
  if (!text || port < 0 || port > 65535) return JS_ThrowTypeError(ctx, "an address is { unix } or { address, port }"), -1;
  if (asprintf(&out->label, "%s:%d", text, port) < 0) return out->label = NULL, JS_ThrowOutOfMemory(ctx), -1;
  struct sockaddr_in *four = (struct sockaddr_in *)out->sa.raw;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)out->sa.raw;
  if (!uv_ip4_addr(text, port, four)) out->size = sizeof *four, out->family = AF_INET;
  else if (!uv_ip6_addr(text, port, six)) out->size = sizeof *six, out->family = AF_INET6;
  else return throw_errno(ctx, EINVAL, "address", out->label), -1;
  return 0;
}

JSValue address_text(JSContext *ctx, const void *sa) {
  char text[64] = "";
  uv_ip_name(sa, text, sizeof text);
  return JS_NewString(ctx, text);
}

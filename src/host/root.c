// Names below a directory that nothing may leave: openat2, or a walk of our own on kernels before 5.6.
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "host.h"

static bool without_openat2; // set once the kernel has said that it has none

// --- the walk ---------------------------------------------------------------------------------------------------------------------
typedef struct Trail { // directories from the root (not included) to where we are
  int *fds;
  size_t depth, room;
} Trail;

static void trail_pop(Trail *t, size_t depth) {
  while (t->depth > depth) close(t->fds[--t->depth]);
}

static int trail_push(Trail *t, int fd) {
  if (t->depth == t->room) {
    size_t room = t->room ? t->room * 2 : 16;
    int *more = realloc(t->fds, room * sizeof *more);
    if (!more) return close(fd), -ENOMEM;
    t->fds = more;
    t->room = room;
  }
  t->fds[t->depth++] = fd;
  return 0;
}

static int walk(int root, const char *path, int flags, unsigned mode, Trail *trail, char **rest) {
  int links = 0;
  char *next = *rest = strdup(path);
  if (!next) return -ENOMEM;
  for (;;) {
    next += strspn(next, "/");
    size_t n = strcspn(next, "/");
    int here = trail->depth ? trail->fds[trail->depth - 1] : root;
    if (!n) { // the path ends in a directory that we have
      if ((flags & O_CREAT) && (flags & O_EXCL)) return -EEXIST;
      int fd = openat(here, ".", (flags & ~(O_CREAT | O_NOFOLLOW)) | O_CLOEXEC);
      return fd < 0 ? -errno : fd;
    }
    char *after = next + n;
    bool last = !after[strspn(after, "/")], slash = *after == '/';
    if (*after) *after++ = 0;
    if (n > NAME_MAX) return -ENAMETOOLONG;
    if (!strcmp(next, ".") || !strcmp(next, "..")) {
      if (next[1] && trail->depth) trail_pop(trail, trail->depth - 1);
      next = after;
      continue;
    }
    char link[PATH_MAX];
    ssize_t size = last && !slash && (flags & (O_NOFOLLOW | O_EXCL)) ? -1 : readlinkat(here, next, link, sizeof link - 1);
    if (size >= 0) {
      if (++links > 40) return -ELOOP;
      link[size] = 0;
      if (link[0] == '/') trail_pop(trail, 0);
      char *longer;
      if (asprintf(&longer, "%s/%s", link, last && !slash ? "" : after) < 0) return -ENOMEM;
      if (last && !slash) longer[size] = 0; // no slash was there
      free(*rest);
      next = *rest = longer;
      continue;
    }
    int fd = last && !slash ? openat(here, next, flags | O_NOFOLLOW | O_CLOEXEC, mode)
                            : openat(here, next, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -errno;
    if (last && !slash) return fd;
    int r = trail_push(trail, fd);
    if (r) return r;
    next = after;
  }
}

int root_open(int root, const char *path, int flags, unsigned mode) {
  path += strspn(path, "/");
  if (!without_openat2) {
    bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC), .mode = makes ? mode & 07777 : 0, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (!(flags & O_PATH)) how.flags |= O_LARGEFILE;
    for (int tries = 0; tries < 100; tries++) {
      long fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
      if (fd >= 0) return (int)fd;
      if (errno == EAGAIN || errno == EINTR) continue; // somebody renamed something meanwhile
      if (errno != ENOSYS) return -errno;
      without_openat2 = true;
      break;
    }
    if (!without_openat2) return -EAGAIN;
  }
  Trail trail = {0};
  char *rest = NULL;
  int fd = walk(root, path, flags | O_CLOEXEC, mode, &trail, &rest);
  trail_pop(&trail, 0);
  free(trail.fds);
  free(rest);
  return fd;
}

int root_parent(int root, char *path, const char **name) {
  size_t size = strlen(path);
  while (size && path[size - 1] == '/') path[--size] = 0;
  char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  if (!*base || !strcmp(base, ".") || !strcmp(base, "..")) {
    *name = ".";
    return root_open(root, path, O_PATH | O_DIRECTORY, 0);
  }
  *name = base;
  if (!slash) return root_open(root, ".", O_PATH | O_DIRECTORY, 0);
  *slash = 0;
  int fd = root_open(root, path, O_PATH | O_DIRECTORY, 0);
  *slash = '/';
  return fd;
}

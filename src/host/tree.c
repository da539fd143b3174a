// Whole trees, on the pool: removing, measuring, copying. One descriptor at a time however deep a tree is; going up again is
// checked, so that a directory that somebody moves meanwhile leads nowhere else.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "host.h"

#define FICLONE_ _IOW(0x94, 9, int) // linux/fs.h cannot be included beside sys/mount.h

// --- one level down, never through a link or onto another mount ------------------------------------------------------------------
static int mount_of(int fd) { // id of the mount a descriptor lies on; -1 unknown
  char path[48], text[512], *at;
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  CLEANUP_CLOSE int info = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = info < 0 ? -1 : read(info, text, sizeof text - 1);
  if (n <= 0) return -1;
  text[n] = 0;
  at = strstr(text, "mnt_id:");
  return at ? atoi(at + 7) : -1;
}

static int enter(int dir, const char *name) {
  static bool without; // no openat2
  if (!without) {
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
    long fd = syscall(SYS_openat2, dir, name, &how, sizeof how);
    if (fd >= 0) return (int)fd;
    if (errno != ENOSYS) return -errno;
    without = true;
  }
  int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -errno;
  int here = mount_of(dir), there = mount_of(fd);
  if (here != there || here < 0) {
    close(fd);
    return -EXDEV;
  }
  return fd;
}

// --- the walk ----------------------------------------------------------------------------------------------------------------------
typedef struct Level {
  dev_t dev; // of the directory, to recognise it on the way up
  ino_t ino;
  Buffer names; // d_type, name, NUL
  size_t current, next; // the entry being visited (its name), and the record after it
  size_t path_size; // of the parent's path
} Level;

typedef struct Visit Visit;
struct Visit {
  // They give 0, or -errno, which is noted. `dir` is the directory that holds `name`.
  int (*leaf)(Visit *, int dir, const char *name, unsigned char type);
  int (*before)(Visit *, int dir, const char *name, int fd);       // a directory, just opened
  int (*after)(Visit *, int dir, const char *name);                // and left again
  int (*refused)(Visit *, int dir, const char *name, int err);     // could not be entered: fd, or -errno
  TreeCount *count;
  TreeFailure *why;
  const char *call;
  bool stop_at_error;
  Buffer path;
};

// Remembers the first failure; its path is relative to the top, NULL for the top itself.
static void note(Visit *v, int err, const char *call, const char *name) {
  if (v->why->err || err == -ENOMEM) {
    if (!v->why->err) v->why->err = ENOMEM, v->why->syscall = call;
    return;
  }
  v->why->err = -err;
  v->why->syscall = call;
  if (name && asprintf(&v->why->path, "%.*s%s%s", (int)v->path.size, v->path.p ? (char *)v->path.p : "", v->path.size ? "/" : "", name) < 0)
    v->why->path = NULL;
}

static int list(int fd, Buffer *names) {
  int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = copy < 0 ? NULL : fdopendir(copy);
  if (!dir) {
    int err = errno;
    if (copy >= 0) close(copy);
    return -err;
  }
  struct dirent *e;
  int r = 0;
  while (!r && (errno = 0, e = readdir(dir))) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    if (buffer_add(names, &e->d_type, 1) || buffer_add(names, e->d_name, strlen(e->d_name) + 1)) r = -ENOMEM;
  }
  if (!r) r = -errno;
  closedir(dir);
  return r;
}

static int walk_down(Visit *v, int dir, const char *name, int *fd) {
  *fd = enter(dir, name);
  if (*fd < 0 && v->refused) *fd = v->refused(v, dir, name, *fd);
  if (*fd < 0) return *fd;
  int r = v->before ? v->before(v, dir, name, *fd) : 0;
  if (r) close(STEAL_FD(*fd));
  return r;
}

// Visits what is in the directory `fd` (takes it).
static int walk(Visit *v, int fd) {
  CLEANUP_CLOSE int here = fd;
  Level *levels = NULL;
  size_t depth = 0, room = 0;
  int fatal = 0;
  for (bool fresh = true; !fatal;) {
    if (fresh) { // here has just been entered
      struct stat st;
      if (depth == room) {
        room = room ? room * 2 : 16;
        Level *more = realloc(levels, room * sizeof *more);
        if (!more) {
          fatal = -ENOMEM;
          break;
        }
        levels = more;
      }
      Level *l = &levels[depth++];
      *l = (Level){.path_size = v->path.size};
      int r = fstat(here, &st) ? -errno : list(here, &l->names);
      l->dev = st.st_dev;
      l->ino = st.st_ino;
      if (r == -ENOMEM) fatal = r;
      else if (r) note(v, r, "readdir", ".");
      fresh = false;
      continue;
    }
    Level *l = &levels[depth - 1];
    if (v->why->err && v->stop_at_error) break;
    if (l->next < l->names.size) {
      unsigned char type = l->names.p[l->next];
      const char *name = (char *)l->names.p + l->next + 1;
      l->current = l->next + 1;
      l->next += 2 + strlen(name);
      if (type == DT_UNKNOWN) {
        struct stat st;
        if (!fstatat(here, name, &st, AT_SYMLINK_NOFOLLOW)) type = IFTODT(st.st_mode);
      }
      if (type == DT_DIR) {
        int below = -1, r = walk_down(v, here, name, &below);
        if (below >= 0) {
          l->path_size = v->path.size;
          if ((v->path.size && buffer_add(&v->path, "/", 1)) || buffer_add(&v->path, name, strlen(name))) fatal = -ENOMEM;
          close(here);
          here = below;
          fresh = true;
        } else if (r && r != -ENOENT) {
          note(v, r, v->call, name);
        }
      } else {
        int r = v->leaf(v, here, name, type);
        if (r && r != -ENOENT) note(v, r, v->call, name);
      }
      continue;
    }
    // up
    free(l->names.p);
    depth--;
    if (!depth) break;
    Level *parent = &levels[depth - 1];
    struct stat st;
    int up = openat(here, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (up < 0) {
      fatal = -errno;
      break;
    }
    close(here);
    here = up;
    if (fstat(up, &st) || st.st_dev != parent->dev || st.st_ino != parent->ino) {
      fatal = -ESTALE; // moved while we were in it
      break;
    }
    v->path.size = parent->path_size;
    const char *name = (char *)parent->names.p + parent->current;
    int r = v->after ? v->after(v, here, name) : 0;
    if (r && r != -ENOENT) note(v, r, v->call, name);
  }
  while (depth) free(levels[--depth].names.p);
  free(levels);
  if (fatal) note(v, fatal, v->call, NULL);
  free(v->path.p);
  v->path = (Buffer){0};
  return -v->why->err;
}

// --- removing ------------------------------------------------------------------------------------------------------------------------
static int remove_leaf(Visit *v, int dir, const char *name, unsigned char type) {
  (void)type;
  if (unlinkat(dir, name, 0)) return -errno;
  v->count->entries++;
  return 0;
}

static int remove_before(Visit *v, int dir, const char *name, int fd) {
  (void)v, (void)dir, (void)name;
  struct stat st;
  if (geteuid() && !fstat(fd, &st) && (st.st_mode & 0700) != 0700) fchmod(fd, (st.st_mode & 07777) | 0700); // else unlinking in it fails and says so
  return 0;
}

static int remove_after(Visit *v, int dir, const char *name) {
  if (unlinkat(dir, name, AT_REMOVEDIR)) return v->why->err && errno == ENOTEMPTY ? 0 : -errno; // what is in it has been noted
  v->count->entries++;
  return 0;
}

static int remove_refused(Visit *v, int dir, const char *name, int err) {
  (void)v;
  if (err == -EXDEV) return -EBUSY;
  if (err != -EACCES || fchmodat(dir, name, 0700, 0)) return err;
  return enter(dir, name);
}

int tree_remove(int dir, const char *name, TreeCount *count, TreeFailure *why) {
  struct stat st;
  Visit v = {.leaf = remove_leaf, .before = remove_before, .after = remove_after, .refused = remove_refused, .count = count, .why = why, .call = "removeTree"};
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
    if (errno == ENOENT) return 0;
    note(&v, -errno, "lstat", NULL);
    return -why->err;
  }
  int r;
  if (!S_ISDIR(st.st_mode)) {
    r = remove_leaf(&v, dir, name, 0);
  } else {
    int fd;
    r = walk_down(&v, dir, name, &fd);
    if (!r || fd >= 0) {
      if (walk(&v, fd)) return -why->err;
      r = remove_after(&v, dir, name);
    }
  }
  if (r && r != -ENOENT) note(&v, r, "removeTree", NULL);
  return -why->err;
}

// --- measuring -----------------------------------------------------------------------------------------------------------------------
typedef struct Inode {
  uint64_t dev, ino;
  char *path; // for copies
} Inode;
typedef struct Inodes { // open addressing, room is a power of two
  Inode *at;
  size_t used, room;
} Inodes;

// Finds or adds; NULL when out of memory. ino 0 marks a free place (no file system gives it out).
static Inode *inode_slot(Inodes *set, uint64_t dev, uint64_t ino) {
  if (set->used * 2 >= set->room) {
    Inodes bigger = {.room = set->room ? set->room * 2 : 64};
    bigger.at = calloc(bigger.room, sizeof *bigger.at);
    if (!bigger.at) return NULL;
    for (size_t i = 0; i < set->room; i++)
      if (set->at[i].ino) *inode_slot(&bigger, set->at[i].dev, set->at[i].ino) = set->at[i], bigger.used++;
    free(set->at);
    *set = bigger;
  }
  size_t i = (ino * 0x9e3779b97f4a7c15u ^ dev * 0xff51afd7ed558ccdu) >> 20 & (set->room - 1);
  while (set->at[i].ino && (set->at[i].ino != ino || set->at[i].dev != dev)) i = (i + 1) & (set->room - 1);
  return &set->at[i];
}

static void inodes_free(Inodes *set) {
  for (size_t i = 0; i < set->room; i++) free(set->at[i].path);
  free(set->at);
}

typedef struct Usage {
  Visit v;
  Inodes seen;
} Usage;

static int usage_add(Usage *u, const struct stat *st) {
  if (st->st_nlink > 1 && !S_ISDIR(st->st_mode)) {
    Inode *slot = inode_slot(&u->seen, st->st_dev, st->st_ino);
    if (!slot) return -ENOMEM;
    if (slot->ino) return 0;
    *slot = (Inode){st->st_dev, st->st_ino, NULL};
    u->seen.used++;
  }
  u->v.count->entries++;
  u->v.count->size += (uint64_t)st->st_size;
  u->v.count->allocated += (uint64_t)st->st_blocks * 512;
  return 0;
}

static int usage_leaf(Visit *v, int dir, const char *name, unsigned char type) {
  (void)type;
  struct stat st;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) return -errno;
  return usage_add((Usage *)v, &st);
}

static int usage_before(Visit *v, int dir, const char *name, int fd) {
  (void)dir, (void)name;
  struct stat st;
  return fstat(fd, &st) ? -errno : usage_add((Usage *)v, &st);
}

static int usage_refused(Visit *v, int dir, const char *name, int err) {
  (void)v, (void)dir, (void)name;
  return err == -EXDEV ? -ENOENT : err; // another mount is not part of this tree
}

int tree_usage(int dir, const char *name, TreeCount *count, TreeFailure *why) {
  Usage u = {.v = {.leaf = usage_leaf, .before = usage_before, .refused = usage_refused, .count = count, .why = why, .call = "diskUsage"}};
  struct stat st;
  int r = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
  if (!r && S_ISDIR(st.st_mode)) {
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); // the top itself may be a mount point
    r = fd < 0 ? -errno : usage_before(&u.v, dir, name, fd);
    if (fd >= 0) walk(&u.v, fd);
  } else if (!r) {
    r = usage_add(&u, &st);
  }
  if (r) note(&u.v, r, "diskUsage", NULL);
  inodes_free(&u.seen);
  return -why->err;
}

// --- copying ---------------------------------------------------------------------------------------------------------------------------
static int copy_range(int from, int to, off_t start, off_t end) {
  static bool without; // copy_file_range between these
  while (start < end) {
    size_t size = end - start > (1 << 30) ? 1u << 30 : (size_t)(end - start);
    if (!without) {
      off_t a = start, b = start;
      ssize_t n = copy_file_range(from, &a, to, &b, size, 0);
      if (n > 0) {
        start += n;
        continue;
      }
      if (n == 0) return 0; // the file became shorter
      if (errno == EINTR) continue;
      if (errno != ENOSYS && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != EPERM) return -errno;
      if (errno == ENOSYS) without = true;
    }
    enum { CHUNK = 128 * 1024 };
    CLEANUP_FREE uint8_t *p = malloc(CHUNK);
    if (!p) return -ENOMEM;
    ssize_t n = pread(from, p, size > CHUNK ? CHUNK : size, start);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (!n) return 0;
    for (ssize_t done = 0; done < n;) {
      ssize_t w = pwrite(to, p + done, (size_t)(n - done), start + done);
      if (w < 0 && errno != EINTR) return -errno;
      if (w > 0) done += w;
    }
    start += n;
  }
  return 0;
}

int file_copy(int from, int to, uint64_t *size, const char **failed) {
  struct stat st;
  *failed = "fstat";
  if (fstat(from, &st)) return -errno;
  *size = (uint64_t)st.st_size;
  if (!ioctl(to, FICLONE_, from)) return 0;
  *failed = "ftruncate";
  if (ftruncate(to, st.st_size)) return -errno;
  *failed = "copy";
  for (off_t at = 0; at < st.st_size;) {
    off_t data = lseek(from, at, SEEK_DATA), hole;
    if (data < 0 && errno == ENXIO) break; // nothing but a hole follows
    if (data < 0) data = at, hole = st.st_size; // a file system that does not know holes
    else if ((hole = lseek(from, data, SEEK_HOLE)) < 0) return -errno;
    int r = copy_range(from, to, data, hole);
    if (r) return r;
    at = hole;
  }
  return 0;
}

typedef struct Copy {
  Visit v;
  int to; // the directory that corresponds to the one being visited
  int to_root;
  Inodes links;
  Buffer stats; // of the directories above: their owners, modes and times are set when they are complete
} Copy;

static int copy_xattrs(int from_dir, const char *from_name, int to_dir, const char *to_name) {
  char from[PATH_MAX], to[PATH_MAX];
  snprintf(from, sizeof from, "/proc/self/fd/%d/%s", from_dir, from_name);
  snprintf(to, sizeof to, "/proc/self/fd/%d/%s", to_dir, to_name);
  ssize_t n = llistxattr(from, NULL, 0);
  if (n <= 0) return 0;
  CLEANUP_FREE char *names = malloc((size_t)n);
  CLEANUP_FREE uint8_t *value = malloc(65536);
  if (!names || !value) return -ENOMEM;
  n = llistxattr(from, names, (size_t)n);
  for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1) {
    ssize_t size = lgetxattr(from, p, value, 65536);
    if (size < 0) continue; // gone meanwhile, or not ours to read
    if (lsetxattr(to, p, value, (size_t)size, 0) && errno != ENOTSUP && !(errno == EPERM && strncmp(p, "user.", 5))) return -errno;
  }
  return 0;
}

static int copy_attributes(int from_dir, int to_dir, const char *name, const char *to_name, const struct stat *st) {
  if (fchownat(to_dir, to_name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW)) return -errno;
  if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, to_name, st->st_mode & 07777, 0)) return -errno;
  int r = copy_xattrs(from_dir, name, to_dir, to_name); // after chown, which drops capabilities
  if (r) return r;
  struct timespec times[2] = {st->st_atim, st->st_mtim};
  return utimensat(to_dir, to_name, times, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

static int copy_leaf(Visit *v, int dir, const char *name, unsigned char type) {
  (void)type;
  Copy *c = (Copy *)v;
  struct stat st;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) return -errno;
  if (st.st_nlink > 1) {
    Inode *slot = inode_slot(&c->links, st.st_dev, st.st_ino);
    if (!slot) return -ENOMEM;
    if (slot->ino) {
      if (linkat(c->to_root, slot->path, c->to, name, 0)) return -errno;
      v->count->entries++;
      return 0;
    }
    *slot = (Inode){st.st_dev, st.st_ino, NULL};
    c->links.used++;
    if (asprintf(&slot->path, "%.*s%s%s", (int)v->path.size, v->path.p ? (char *)v->path.p : "", v->path.size ? "/" : "", name) < 0) {
      slot->path = NULL;
      return -ENOMEM;
    }
  }
  int r = 0;
  if (S_ISREG(st.st_mode)) {
    CLEANUP_CLOSE int from = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (from < 0) return -errno;
    CLEANUP_CLOSE int to = openat(c->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) return -errno;
    const char *failed;
    uint64_t size;
    r = file_copy(from, to, &size, &failed);
  } else if (S_ISLNK(st.st_mode)) {
    char content[PATH_MAX];
    ssize_t n = readlinkat(dir, name, content, sizeof content - 1);
    if (n < 0) return -errno;
    content[n] = 0;
    if (symlinkat(content, c->to, name)) return -errno;
  } else if (mknodat(c->to, name, st.st_mode, st.st_rdev)) {
    return -errno;
  }
  if (!r) r = copy_attributes(dir, c->to, name, name, &st);
  if (!r) v->count->entries++;
  return r;
}

static int copy_before(Visit *v, int dir, const char *name, int fd) {
  (void)dir;
  Copy *c = (Copy *)v;
  struct stat st;
  if (fstat(fd, &st)) return -errno;
  bool made = !mkdirat(c->to, name, 0700);
  if (!made && errno != EEXIST) return -errno;
  int below = openat(c->to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (below < 0) return errno == ENOTDIR || errno == ELOOP ? -EEXIST : -errno;
  int r = buffer_add(&c->stats, &st, sizeof st);
  if (!r && made) r = copy_xattrs(fd, ".", below, ".");
  if (r) {
    close(below);
    return r;
  }
  close(c->to);
  c->to = below;
  v->count->entries += made;
  return 0;
}

static int copy_after(Visit *v, int dir, const char *name) {
  Copy *c = (Copy *)v;
  struct stat st;
  c->stats.size -= sizeof st;
  memcpy(&st, c->stats.p + c->stats.size, sizeof st);
  int up = openat(c->to, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (up < 0) return -errno;
  close(c->to);
  c->to = up;
  return copy_attributes(dir, up, name, name, &st);
}

int tree_copy(int from, int to, TreeCount *count, TreeFailure *why) {
  Copy c = {.v = {.leaf = copy_leaf, .before = copy_before, .after = copy_after, .refused = usage_refused, .count = count, .why = why,
                  .call = "copyTree", .stop_at_error = true},
            .to_root = to};
  c.to = fcntl(to, F_DUPFD_CLOEXEC, 3);
  if (c.to < 0) {
    close(from);
    note(&c.v, -errno, "dup", NULL);
    return -why->err;
  }
  walk(&c.v, from);
  close(c.to);
  inodes_free(&c.links);
  free(c.stats.p);
  return -why->err;
}

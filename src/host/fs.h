// What the files of host:fs share.
#ifndef HOST_FS_H
#define HOST_FS_H

#include "host.h"

// Where a name lies: below AT_FDCWD for the module's functions, below the resolved parent for a Root's methods.
typedef struct Place {
  int dir;
  const char *name;
  char *path;   // as given, for errors
  int owned_fd; // closed with the place, or -1
  bool rooted;
  char *proc;   // /proc/self/fd/<dir>/<name>, for calls that know no directory
} Place;
void place_free(Place *p);
static inline void cleanup_place_at(Place *p) { place_free(p); }
#define CLEANUP_PLACE __attribute__((cleanup(cleanup_place_at)))
#define PLACE_NONE ((Place){.owned_fd = -1})

extern JSClassID root_id;
int place_open(JSContext *ctx, JSValueConst self, JSValueConst path, Place *out);
const char *place_path(Place *p); // for calls without a directory argument; NULL when out of memory
int root_fd_of(JSContext *ctx, JSValueConst self, bool *rooted); // -1 with exception when closed
void root_changed(JSValueConst self); // a name went away or became a link: remembered parents may be wrong
JSValue stat_object(JSContext *ctx, const void *st); // struct stat

extern const JSCFunctionListEntry fs_fd_functions[], fs_name_functions[], fs_job_functions[], fs_watch_functions[];
extern const int fs_fd_count, fs_name_count, fs_job_count, fs_watch_count;
int fs_root_class(JSContext *ctx);
int fs_watch_class(JSContext *ctx);
HOST_FN(fs_open_root);
HOST_FN(fs_remove_tree);
HOST_FN(fs_read_file);
HOST_FN(fs_open);
HOST_FN(fs_stat);
HOST_FN(fs_lstat);
HOST_FN(fs_readdir);
HOST_FN(fs_readlink);
HOST_FN(fs_mkdir);
HOST_FN(fs_mkdirs);
HOST_FN(fs_rmdir);
HOST_FN(fs_unlink);
HOST_FN(fs_rename);
HOST_FN(fs_link);
HOST_FN(fs_symlink);
HOST_FN(fs_chmod);
HOST_FN(fs_lchown);
HOST_FN(fs_utimes);
HOST_FN(fs_mknod);
HOST_FN(fs_get_xattr);
HOST_FN(fs_set_xattr);
HOST_FN(fs_list_xattr);

#endif

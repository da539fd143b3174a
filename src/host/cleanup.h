// Attributes that release a resource when its variable goes out of scope, so that early returns are safe.
#ifndef HOST_CLEANUP_H
#define HOST_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_at(void *slot) { free(*(void **)slot); }

static inline void cleanup_close_at(const int *fd) {
  if (*fd >= 0) close(*fd);
}

#define CLEANUP_FREE __attribute__((cleanup(cleanup_free_at)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close_at)))

// Takes a value out of a CLEANUP variable: the caller owns it now.
#define STEAL_PTR(slot)       \
  ({                          \
    __typeof__(slot) p = slot; \
    slot = NULL;              \
    p;                        \
  })
#define STEAL_FD(slot) \
  ({                   \
    int fd_ = slot;    \
    slot = -1;         \
    fd_;               \
  })

#endif

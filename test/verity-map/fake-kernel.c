// Stands in for the kernel's control device: writes down what it is asked, and refuses the request whose name FAKE_REFUSES holds.
#include <errno.h>
#include <linux/dm-ioctl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int refused(const char *request, int error) {
  const char *refuses = getenv("FAKE_REFUSES");
  if (refuses == NULL || strcmp(refuses, request) != 0) return 0;
  errno = error;
  return -1;
}

int fake_open(const char *path, int flags, ...) {
  (void)flags;
  printf("open %s\n", path);
  return refused("open", ENOENT) < 0 ? -1 : 99;
}

int fake_close(int fd) { return fd == 99 ? 0 : -1; }

int fake_ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  struct dm_ioctl *head = va_arg(rest, struct dm_ioctl *);
  va_end(rest);
  const char *name = request == DM_DEV_CREATE ? "create" : request == DM_TABLE_LOAD ? "load" : request == DM_DEV_SUSPEND ? "suspend" : request == DM_DEV_REMOVE ? "remove" : "?";
  printf("%s %s version %u flags %#x descriptor %d", name, head->name, head->version[0], head->flags, fd);
  if (request == DM_TABLE_LOAD) {
    const struct dm_target_spec *target = (const struct dm_target_spec *)((const char *)head + head->data_start);
    printf(": %llu %llu %s %s", (unsigned long long)target->sector_start, (unsigned long long)target->length, target->target_type, (const char *)(target + 1));
  }
  printf("\n");
  // 253:259, as new_encode_dev has it.
  if (request == DM_DEV_CREATE) head->dev = (259 & 0xff) | (253 << 8) | ((uint64_t)(259 & ~0xff) << 12);
  return refused(name, request == DM_TABLE_LOAD ? EINVAL : EBUSY);
}

int fake_mknod(const char *path, mode_t mode, dev_t device) {
  printf("mknod %s %o %u:%u\n", path, mode, major(device), minor(device));
  return refused("mknod", EROFS);
}

int fake_unlink(const char *path) {
  printf("unlink %s\n", path);
  errno = ENOENT;
  return -1;
}

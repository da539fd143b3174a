// What the kernel tells of devices (netlink(7), NETLINK_KOBJECT_UEVENT): "add@/devices/…", then NAME=value, each with its end.
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "splash.h"

enum { FROM_KERNEL = 1, MOST_BYTES = 8192 };

const char *uevents_open(int *events) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = FROM_KERNEL};
  *events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
  if (*events < 0) return "cannot be opened";
  if (bind(*events, (struct sockaddr *)&address, sizeof address) == 0) return NULL;
  int error = errno;
  close(*events);
  errno = error;
  return "cannot be listened to";
}

int uevents_new_screen(int events) {
  static char message[MOST_BYTES + 1];
  struct sockaddr_nl sender = {0};
  socklen_t size = sizeof sender;
  ssize_t bytes = recvfrom(events, message, MOST_BYTES, 0, (struct sockaddr *)&sender, &size);
  if (bytes < 0) return errno == ENOBUFS;
  // Programs may send to this group as well; only the kernel has no number.
  if (sender.nl_pid != 0) return 0;
  message[bytes] = '\0';
  int added = strncmp(message, "add@", 4) == 0;
  int graphics = 0;
  for (const char *at = message; at < message + bytes; at += strlen(at) + 1) graphics |= strcmp(at, "SUBSYSTEM=graphics") == 0;
  return added && graphics;
}

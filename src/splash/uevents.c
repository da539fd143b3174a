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

/** `bytes` of a message, with a 0 behind them. */
static bool is_new_screen(const char *message, size_t bytes) {
  if (strncmp(message, "add@", 4) != 0) return false;
  for (const char *at = message; at < message + bytes; at += strlen(at) + 1) {
    if (strcmp(at, "SUBSYSTEM=graphics") == 0) return true;
  }
  return false;
}

bool uevents_new_screen(int events) {
  static char message[MOST_BYTES + 1];
  bool found = false;
  // To the end: once one was lost, the kernel loses all without another word until this is empty. udev has it tell of all devices while the system starts.
  for (;;) {
    struct sockaddr_nl sender = {0};
    socklen_t size = sizeof sender;
    ssize_t bytes = recvfrom(events, message, MOST_BYTES, 0, (struct sockaddr *)&sender, &size);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0 && errno != ENOBUFS) return found;
    // Programs may send to this group as well; only the kernel has no number.
    if (bytes >= 0 && sender.nl_pid != 0) continue;
    if (bytes >= 0) message[bytes] = '\0';
    if (bytes < 0 || is_new_screen(message, (size_t)bytes)) found = true;
  }
}

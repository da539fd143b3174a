// glibc's name service (users, groups, services) loads plug-ins of the system that it finds itself on, which a static binary cannot.
// libuv and c-ares mention four of its functions in parts that we never call; these answers keep the rest of it out of the binary.
#include <grp.h>
#include <netdb.h>
#include <pwd.h>

#include "host.h"

int getpwuid_r(UNUSED uid_t uid, UNUSED struct passwd *room, UNUSED char *buffer, UNUSED size_t size, struct passwd **result) {
  *result = NULL;
  return 0; // no such user
}

int getgrgid_r(UNUSED gid_t gid, UNUSED struct group *room, UNUSED char *buffer, UNUSED size_t size, struct group **result) {
  *result = NULL;
  return 0;
}

int getservbyname_r(UNUSED const char *name, UNUSED const char *protocol, UNUSED struct servent *room, UNUSED char *buffer, UNUSED size_t size, struct servent **result) {
  *result = NULL;
  return 0;
}

int getservbyport_r(UNUSED int port, UNUSED const char *protocol, UNUSED struct servent *room, UNUSED char *buffer, UNUSED size_t size, struct servent **result) {
  *result = NULL;
  return 0;
}

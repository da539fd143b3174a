// Maps a partition through Linux' dm-verity, so that every block is checked when it is read. Runs in the initrd, before the root is mounted; see usage below.
// Only what the kernel's control device needs: dmsetup and veritysetup would bring eight libraries. Uses no stdio, which a static program would be twice as large with.
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { FAILED = 1, USAGE = 2, HASH_DIGITS = 64, MOST_DIGITS = 13, SECTORS_OF_A_BLOCK = 8, MOST_PATH = 128 };

static const char control_path[] = "/dev/mapper/control";
static const char node_folder[] = "/dev/mapper/";
static const char usage[] =
  "usage: minke-verity map NAME DEVICE ROOTHASH:SALT:BLOCKS:TREE\n"
  "       minke-verity unmap NAME\n"
  "map makes /dev/mapper/NAME of DEVICE: SHA-256, hashes and salt of 64 hexadecimal digits, BLOCKS of 4096 bytes, TREE the first block of the hash tree on the same device.\n"
  "exit status: 0 done, 1 the kernel refused, 2 wrong arguments\n";

/** One request to the control device: the fixed part, and room for one target with its parameters. */
struct request {
  struct dm_ioctl head;
  struct dm_target_spec target;
  char parameters[512];
};

/** Parts of ROOTHASH:SALT:BLOCKS:TREE, as text; `sectors` of 512 bytes is BLOCKS. */
struct verity {
  char root_hash[HASH_DIGITS + 1];
  char salt[HASH_DIGITS + 1];
  char blocks[MOST_DIGITS + 1];
  char tree[MOST_DIGITS + 1];
  uint64_t sectors;
};

static void say(const char *text) {
  for (size_t left = strlen(text); left > 0;) {
    ssize_t written = write(STDERR_FILENO, text, left);
    if (written <= 0) return;
    text += written;
    left -= (size_t)written;
  }
}

/** Says `minke-verity: a b c: why`, for texts up to NULL. Returns FAILED. */
static int failed(int error, ...) {
  va_list texts;
  va_start(texts, error);
  say("minke-verity: ");
  for (const char *text = va_arg(texts, const char *); text != NULL; text = va_arg(texts, const char *)) say(text);
  va_end(texts);
  say(": ");
  say(strerror(error));
  say("\n");
  return FAILED;
}

static int wrong(const char *what, const char *given) {
  say("minke-verity: ");
  say(what);
  say(": '");
  say(given);
  say("'\n");
  say(usage);
  return USAGE;
}

/** Appends where there is room for it and its end. */
static bool append(char *to, size_t room, const char *text) {
  size_t used = strlen(to);
  size_t more = strlen(text);
  if (more >= room - used) return false;
  memcpy(to + used, text, more + 1);
  return true;
}

/** Takes up to `most` characters of the set before `end` (0 for the text's end); returns what follows, NULL when there is something else. */
static const char *take(const char *from, const char *set, size_t least, size_t most, char end, char *into) {
  size_t length = strspn(from, set);
  if (length < least || length > most || from[length] != end) return NULL;
  memcpy(into, from, length);
  into[length] = '\0';
  return from + length + (end == '\0' ? 0 : 1);
}

/** A number without zeros in front, of at most MOST_DIGITS digits: no sum or product of it below overflows. */
static bool number(const char *text, uint64_t *value) {
  *value = 0;
  for (const char *at = text; *at != '\0'; at++) *value = *value * 10 + (uint64_t)(*at - '0');
  return text[0] != '0';
}

static bool parse(const char *text, struct verity *verity) {
  static const char hex[] = "0123456789abcdef";
  static const char decimal[] = "0123456789";
  uint64_t blocks;
  uint64_t tree;
  const char *at = take(text, hex, HASH_DIGITS, HASH_DIGITS, ':', verity->root_hash);
  if (at != NULL) at = take(at, hex, HASH_DIGITS, HASH_DIGITS, ':', verity->salt);
  if (at != NULL) at = take(at, decimal, 1, MOST_DIGITS, ':', verity->blocks);
  if (at != NULL) at = take(at, decimal, 1, MOST_DIGITS, '\0', verity->tree);
  if (at == NULL || !number(verity->blocks, &blocks) || !number(verity->tree, &tree) || tree < blocks) return false;
  verity->sectors = blocks * SECTORS_OF_A_BLOCK;
  return true;
}

/** Names become files: nothing that is a path or begins like an option. */
static bool is_name(const char *name) {
  static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  size_t length = strlen(name);
  return length > 0 && length < 32 && strspn(name, set) == length && name[0] != '-';
}

/** A request about a device, as the control takes it (linux/dm-ioctl.h: callers fill in the version that they know). */
static struct request *prepare(struct request *request, const char *name, uint32_t flags) {
  memset(request, 0, sizeof *request);
  request->head.version[0] = DM_VERSION_MAJOR;
  request->head.data_size = sizeof *request;
  request->head.data_start = offsetof(struct request, target);
  request->head.flags = flags;
  memcpy(request->head.name, name, strlen(name));
  return request;
}

static bool node_path(char *path, const char *name) {
  path[0] = '\0';
  return append(path, MOST_PATH, node_folder) && append(path, MOST_PATH, name);
}

static int open_control(void) { return open(control_path, O_RDWR | O_CLOEXEC); }

static int unmap(const char *name) {
  char path[MOST_PATH];
  struct request request;
  int control = open_control();
  if (control < 0) return failed(errno, control_path, NULL);
  if (ioctl(control, DM_DEV_REMOVE, prepare(&request, name, 0)) < 0) return failed(errno, "cannot remove ", name, NULL);
  close(control);
  if (node_path(path, name) && unlink(path) < 0 && errno != ENOENT) return failed(errno, "cannot remove ", path, NULL);
  return 0;
}

/** The kernel's numbers of a device, as it packs them (new_encode_dev). */
static dev_t device_of(uint64_t packed) { return makedev((packed >> 8) & 0xfff, (packed & 0xff) | ((packed >> 12) & 0xfff00)); }

/** Loads the table into a device that was just made, and starts it. */
static int start(int control, struct request *request, const char *name, const char *device, const struct verity *verity) {
  prepare(request, name, DM_READONLY_FLAG);
  request->head.target_count = 1;
  request->target.length = verity->sectors;
  memcpy(request->target.target_type, "verity", sizeof "verity");
  // Without options a block that is not as it was is an error of reading.
  const char *words[] = {"1 ", device, " ", device, " 4096 4096 ", verity->blocks, " ", verity->tree, " sha256 ", verity->root_hash, " ", verity->salt};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (!append(request->parameters, sizeof request->parameters, words[i])) return failed(ENAMETOOLONG, device, NULL);
  }
  if (ioctl(control, DM_TABLE_LOAD, request) < 0) return failed(errno, "the kernel takes no dm-verity table for ", device, " (its log says why)", NULL);
  // Resumes it: DM_SUSPEND_FLAG is not set.
  if (ioctl(control, DM_DEV_SUSPEND, prepare(request, name, 0)) < 0) return failed(errno, "cannot start ", name, NULL);
  return 0;
}

static int map(const char *name, const char *device, const struct verity *verity) {
  char path[MOST_PATH];
  struct request request;
  if (!node_path(path, name)) return failed(ENAMETOOLONG, name, NULL);
  int control = open_control();
  if (control < 0) return failed(errno, control_path, NULL);
  if (ioctl(control, DM_DEV_CREATE, prepare(&request, name, 0)) < 0) return failed(errno, "cannot make ", name, NULL);
  dev_t made = device_of(request.head.dev);
  int status = start(control, &request, name, device, verity);
  // udev, where it runs, may have been faster; what is there from another device is not ours.
  if (status == 0 && ((unlink(path) < 0 && errno != ENOENT) || mknod(path, S_IFBLK | 0600, made) < 0)) status = failed(errno, "cannot make ", path, NULL);
  if (status != 0) (void)ioctl(control, DM_DEV_REMOVE, prepare(&request, name, 0));
  close(control);
  return status;
}

int main(int count, char **words) {
  struct verity verity;
  if (count == 3 && strcmp(words[1], "unmap") == 0) return is_name(words[2]) ? unmap(words[2]) : wrong("no name", words[2]);
  if (count != 5 || strcmp(words[1], "map") != 0) {
    say(usage);
    return USAGE;
  }
  if (!is_name(words[2])) return wrong("no name", words[2]);
  // A blank would be two words of the table.
  if (words[3][0] != '/' || strpbrk(words[3], " \t\n\\") != NULL || strlen(words[3]) >= MOST_PATH) return wrong("no path of a device", words[3]);
  if (!parse(words[4], &verity)) return wrong("no parameters of a hash tree", words[4]);
  return map(words[2], words[3], &verity);
}

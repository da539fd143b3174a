// Growing memory.
#include "host.h"

int buffer_reserve(Buffer *b, size_t more) {
  if (more > SIZE_MAX / 4 - b->size) return -ENOMEM;
  if (b->size + more <= b->room) return 0;
  size_t room = b->room ? b->room * 2 : 256;
  while (room < b->size + more) room *= 2;
  uint8_t *p = realloc(b->p, room);
  if (!p) return -ENOMEM;
  b->p = p;
  b->room = room;
  return 0;
}

int buffer_add(Buffer *b, const void *p, size_t size) {
  if (buffer_reserve(b, size)) return -ENOMEM;
  if (size) memcpy(b->p + b->size, p, size);
  b->size += size;
  return 0;
}

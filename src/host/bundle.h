// The program that is linked in: its modules as QuickJS's bytecode, packed by zstd, the first is where it begins. Generated (bundle.sh).
#ifndef BUNDLE_H
#define BUNDLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct BundleModule {
  const char *name;
  const uint8_t *packed;
  size_t packed_size, size;
} BundleModule;

extern const BundleModule bundle[]; // ends with one that has no name

#endif

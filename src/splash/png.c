// PNG pictures (W3C, Portable Network Graphics, third edition), read row by row: whole ones of large screens take tens of megabytes. Checksums are not looked
// at: the file is part of an image that is.
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "splash.h"

enum { SIGNATURE_BYTES = 8, CHUNK_HEAD = 8, CHUNK_TAIL = 4, HEADER_BYTES = 13, PALETTE_COLOURS = 256 };
enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGBA = 6 };

struct chunk {
  const uint8_t *name;
  const uint8_t *data;
  uint32_t size;
};

struct png {
  const uint8_t *at;
  const uint8_t *end;
  struct chunk chunk;
  uint32_t width;
  uint32_t height;
  unsigned depth;
  unsigned colour;
  unsigned channels;
  uint8_t palette[PALETTE_COLOURS][PIXEL_BYTES];
  z_stream stream;
};

static uint32_t number(const uint8_t *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

static bool is(const struct chunk *chunk, const char *name) { return memcmp(chunk->name, name, 4) == 0; }

static bool next_chunk(struct png *png) {
  size_t left = (size_t)(png->end - png->at);
  if (left < CHUNK_HEAD + CHUNK_TAIL) return false;
  uint32_t size = number(png->at);
  if (size > left - CHUNK_HEAD - CHUNK_TAIL) return false;
  png->chunk = (struct chunk){.name = png->at + 4, .data = png->at + CHUNK_HEAD, .size = size};
  png->at += CHUNK_HEAD + size + CHUNK_TAIL;
  return true;
}

/** Channels of a colour type, 0 for one that does not exist. */
static unsigned channels_of(unsigned colour) {
  switch (colour) {
    case GREY: case PALETTE: return 1;
    case GREY_ALPHA: return 2;
    case RGB: return 3;
    case RGBA: return 4;
    default: return 0;
  }
}

static const char *read_header(struct png *png) {
  static const uint8_t signature[SIGNATURE_BYTES] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  errno = 0;
  if (png->end - png->at < SIGNATURE_BYTES || memcmp(png->at, signature, SIGNATURE_BYTES) != 0) return "is no PNG file";
  png->at += SIGNATURE_BYTES;
  if (!next_chunk(png) || !is(&png->chunk, "IHDR") || png->chunk.size != HEADER_BYTES) return "is a PNG file without its header";
  const uint8_t *head = png->chunk.data;
  png->width = number(head);
  png->height = number(head + 4);
  png->depth = head[8];
  png->colour = head[9];
  png->channels = channels_of(png->colour);
  if (png->width == 0 || png->height == 0 || png->width > MOST_PIXELS_A_SIDE || png->height > MOST_PIXELS_A_SIDE) return "is too large: 8192 pixels a side are the most";
  bool small = png->colour == GREY || png->colour == PALETTE;
  bool depth = png->depth == 8 || (png->depth == 16 && png->colour != PALETTE) || (small && (png->depth == 1 || png->depth == 2 || png->depth == 4));
  if (png->channels == 0 || !depth || head[10] != 0 || head[11] != 0) return "is of a kind of PNG that does not exist";
  if (head[12] != 0) return "is interlaced, which is not supported";
  return NULL;
}

static void read_palette(struct png *png) {
  for (uint32_t i = 0; i < PALETTE_COLOURS && i * 3 + 2 < png->chunk.size; i++) memcpy(png->palette[i], png->chunk.data + (size_t)i * 3, 3);
}

static void read_transparency(struct png *png) {
  if (png->colour != PALETTE) return;
  for (uint32_t i = 0; i < PALETTE_COLOURS && i < png->chunk.size; i++) png->palette[i][3] = png->chunk.data[i];
}

/** Goes to the first data, over the chunks in front of it. */
static const char *find_data(struct png *png) {
  memset(png->palette, 0xff, sizeof png->palette);
  while (next_chunk(png)) {
    if (is(&png->chunk, "PLTE")) read_palette(png);
    if (is(&png->chunk, "tRNS")) read_transparency(png);
    if (is(&png->chunk, "IDAT")) return NULL;
  }
  return "has no data";
}

/** Fills `row` from as many data chunks as it takes. */
static bool inflate_row(struct png *png, uint8_t *row, size_t bytes) {
  png->stream.next_out = row;
  png->stream.avail_out = (uInt)bytes;
  while (png->stream.avail_out > 0) {
    if (png->stream.avail_in == 0) {
      if (!is(&png->chunk, "IDAT")) return false;
      png->stream.next_in = (z_const Bytef *)png->chunk.data;
      png->stream.avail_in = png->chunk.size;
      if (!next_chunk(png)) png->chunk.name = (const uint8_t *)"none";
    }
    int status = inflate(&png->stream, Z_NO_FLUSH);
    if (status == Z_STREAM_END && png->stream.avail_out > 0) return false;
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) return false;
  }
  return true;
}

static uint8_t paeth(int left, int above, int corner) {
  int guess = left + above - corner;
  int from_left = abs(guess - left);
  int from_above = abs(guess - above);
  int from_corner = abs(guess - corner);
  if (from_left <= from_above && from_left <= from_corner) return (uint8_t)left;
  return (uint8_t)(from_above <= from_corner ? above : corner);
}

/** Undoes the filter of a row; `above` is the row before, `step` the bytes of a pixel, at least 1. */
static bool unfilter(unsigned filter, uint8_t *row, const uint8_t *above, size_t bytes, size_t step) {
  for (size_t i = 0; i < bytes; i++) {
    int left = i < step ? 0 : row[i - step];
    int corner = i < step ? 0 : above[i - step];
    switch (filter) {
      case 0: break;
      case 1: row[i] = (uint8_t)(row[i] + left); break;
      case 2: row[i] = (uint8_t)(row[i] + above[i]); break;
      case 3: row[i] = (uint8_t)(row[i] + (left + above[i]) / 2); break;
      case 4: row[i] = (uint8_t)(row[i] + paeth(left, above[i], corner)); break;
      default: return false;
    }
  }
  return true;
}

/** The sample at an index of a row, of any depth, as it stands there; of 16 bits the upper 8. */
static unsigned sample(const struct png *png, const uint8_t *row, size_t index) {
  if (png->depth == 16) return row[index * 2];
  if (png->depth == 8) return row[index];
  size_t bit = index * png->depth;
  return (unsigned)(row[bit / 8] >> (8 - png->depth - bit % 8)) & ((1u << png->depth) - 1);
}

static void write_row(const struct png *png, const uint8_t *row, uint8_t *pixel) {
  unsigned most = png->depth >= 8 ? 255 : (1u << png->depth) - 1;
  for (size_t x = 0; x < png->width; x++, pixel += PIXEL_BYTES) {
    size_t first = x * png->channels;
    unsigned value = sample(png, row, first);
    if (png->colour == PALETTE) {
      memcpy(pixel, png->palette[value], PIXEL_BYTES);
      continue;
    }
    bool grey = png->colour == GREY || png->colour == GREY_ALPHA;
    for (size_t i = 0; i < 3; i++) pixel[i] = (uint8_t)(grey ? value * 255 / most : sample(png, row, first + i));
    pixel[3] = (uint8_t)(png->colour == GREY_ALPHA || png->colour == RGBA ? sample(png, row, first + png->channels - 1) : 255);
  }
}

static const char *read_rows(struct png *png, struct picture *picture) {
  size_t bits = (size_t)png->channels * png->depth;
  size_t bytes = ((size_t)png->width * bits + 7) / 8;
  size_t step = bits < 8 ? 1 : bits / 8;
  uint8_t *rows = calloc(2, bytes + 1);
  picture->width = png->width;
  picture->height = png->height;
  picture->pixels = malloc((size_t)png->width * png->height * PIXEL_BYTES);
  const char *wrong = rows == NULL || picture->pixels == NULL ? "does not fit into memory" : NULL;
  for (uint32_t y = 0; wrong == NULL && y < png->height; y++) {
    uint8_t *row = rows + (y % 2) * (bytes + 1);
    const uint8_t *above = rows + ((y + 1) % 2) * (bytes + 1);
    if (!inflate_row(png, row, bytes + 1) || !unfilter(row[0], row + 1, above + 1, bytes, step)) wrong = "is damaged";
    else write_row(png, row + 1, picture->pixels + (size_t)y * png->width * PIXEL_BYTES);
  }
  free(rows);
  if (wrong != NULL) {
    free(picture->pixels);
    picture->pixels = NULL;
  }
  return wrong;
}

static const char *decode(const uint8_t *file, size_t size, struct picture *picture) {
  struct png png = {.at = file, .end = file + size};
  const char *wrong = read_header(&png);
  if (wrong == NULL) wrong = find_data(&png);
  if (wrong != NULL) return wrong;
  if (inflateInit(&png.stream) != Z_OK) return "does not fit into memory";
  wrong = read_rows(&png, picture);
  (void)inflateEnd(&png.stream);
  return wrong;
}

const char *png_read(const char *path, struct picture *picture) {
  struct stat about;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return "cannot be opened";
  const char *wrong = NULL;
  void *content = MAP_FAILED;
  if (fstat(file, &about) < 0) wrong = "cannot be read";
  else if (about.st_size == 0) errno = 0, wrong = "is empty";
  else if ((content = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0)) == MAP_FAILED) wrong = "cannot be read";
  close(file);
  if (wrong != NULL) return wrong;
  wrong = decode(content, (size_t)about.st_size, picture);
  munmap(content, (size_t)about.st_size);
  return wrong;
}

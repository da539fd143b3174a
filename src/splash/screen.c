// Frame buffers (linux/fb.h). Every driver has one, the firmware's own screen (efifb, simpledrm) and DRM's alike. What is written there stays when this program
// has ended, and is shown again when a program that took the screen by DRM lets go of it.
#include <errno.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "splash.h"

struct screen {
  int device;
  struct fb_var_screeninfo shape;
  struct fb_fix_screeninfo memory;
};

struct colour {
  uint8_t red;
  uint8_t green;
  uint8_t blue;
};

/** A picture's place on a screen, in pixels. */
struct place {
  uint32_t left;
  uint32_t top;
  uint32_t width;
  uint32_t height;
};

/** More than any screen has; lengths in bytes stay far below what 32 bits count. */
enum { MOST_SCREEN_SIDE = 16384, MOST_SCREEN_BYTES = 1 << 30, MOST_CHANNEL_BITS = 16 };

/** One of no bits may be said to stand anywhere. */
static bool is_inside(const struct fb_bitfield *field, uint32_t bits) {
  if (field->length == 0) return true;
  return field->length <= MOST_CHANNEL_BITS && field->length <= bits && field->offset <= bits - field->length;
}

static uint32_t channel(uint8_t value, const struct fb_bitfield *field) {
  if (field->length == 0) return 0;
  uint32_t scaled = field->length <= 8 ? (uint32_t)value >> (8 - field->length) : (uint32_t)value << (field->length - 8);
  return scaled << field->offset;
}

static uint32_t pack(const struct fb_var_screeninfo *shape, struct colour colour) {
  const struct fb_bitfield *opaque = &shape->transp;
  return channel(colour.red, &shape->red) | channel(colour.green, &shape->green) | channel(colour.blue, &shape->blue) | channel(255, opaque);
}

/** All architectures that there are images for store the lowest byte first. */
static void put(uint8_t *line, const struct screen *screen, uint32_t x, struct colour colour) {
  uint32_t packed = pack(&screen->shape, colour);
  size_t bytes = screen->shape.bits_per_pixel / 8;
  memcpy(line + x * bytes, &packed, bytes);
}

/** Its upper left pixel; black where that is transparent. */
static struct colour background_of(const struct picture *picture) {
  const uint8_t *pixel = picture->pixels;
  if (pixel[3] < 255) return (struct colour){0, 0, 0};
  return (struct colour){pixel[0], pixel[1], pixel[2]};
}

static struct place place_on(const struct fb_var_screeninfo *shape, const struct picture *picture) {
  struct place place = {.width = picture->width, .height = picture->height};
  if (place.width > shape->xres || place.height > shape->yres) {
    bool wide = (uint64_t)picture->width * shape->yres > (uint64_t)picture->height * shape->xres;
    place.width = wide ? shape->xres : (uint32_t)((uint64_t)picture->width * shape->yres / picture->height);
    place.height = wide ? (uint32_t)((uint64_t)picture->height * shape->xres / picture->width) : shape->yres;
    if (place.width == 0) place.width = 1;
    if (place.height == 0) place.height = 1;
  }
  place.left = (shape->xres - place.width) / 2;
  place.top = (shape->yres - place.height) / 2;
  return place;
}

/** The mean of the picture's pixels that one of the screen stands for, over the background. */
static struct colour mean(const struct picture *picture, const struct place *place, uint32_t x, uint32_t y, struct colour background) {
  uint32_t first_x = (uint32_t)((uint64_t)x * picture->width / place->width);
  uint32_t first_y = (uint32_t)((uint64_t)y * picture->height / place->height);
  uint32_t end_x = (uint32_t)((uint64_t)(x + 1) * picture->width / place->width);
  uint32_t end_y = (uint32_t)((uint64_t)(y + 1) * picture->height / place->height);
  uint64_t sums[3] = {0, 0, 0};
  const uint8_t behind[3] = {background.red, background.green, background.blue};
  for (uint32_t row = first_y; row < end_y; row++) {
    const uint8_t *pixel = picture->pixels + ((size_t)row * picture->width + first_x) * PIXEL_BYTES;
    for (uint32_t column = first_x; column < end_x; column++, pixel += PIXEL_BYTES) {
      for (int i = 0; i < 3; i++) sums[i] += (uint32_t)pixel[i] * pixel[3] + (uint32_t)behind[i] * (255u - pixel[3]);
    }
  }
  uint64_t share = (uint64_t)(end_x - first_x) * (end_y - first_y) * 255;
  return (struct colour){(uint8_t)(sums[0] / share), (uint8_t)(sums[1] / share), (uint8_t)(sums[2] / share)};
}

/** All at once: of a write of one whole line alone DRM's drivers show nothing (Linux 6.12, drm_fb_helper_memory_range_to_clip). */
static bool write_all(const struct screen *screen, const uint8_t *lines, size_t bytes) {
  off_t at = (off_t)screen->shape.yoffset * screen->memory.line_length + (off_t)screen->shape.xoffset * (screen->shape.bits_per_pixel / 8);
  while (bytes > 0) {
    ssize_t written = pwrite(screen->device, lines, bytes, at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    lines += written;
    at += written;
    bytes -= (size_t)written;
  }
  return true;
}

static const char *draw(const struct screen *screen, const struct picture *picture) {
  const struct fb_var_screeninfo *shape = &screen->shape;
  size_t line_bytes = (size_t)shape->xres * (shape->bits_per_pixel / 8);
  size_t bytes = (size_t)(shape->yres - 1) * screen->memory.line_length + line_bytes;
  // Lines may be further apart than they are long.
  uint8_t *lines = calloc(1, bytes);
  if (lines == NULL) return "does not fit into memory";
  struct place place = place_on(shape, picture);
  struct colour background = background_of(picture);
  for (uint32_t x = 0; x < shape->xres; x++) put(lines, screen, x, background);
  for (uint32_t y = 1; y < shape->yres; y++) memcpy(lines + (size_t)y * screen->memory.line_length, lines, line_bytes);
  for (uint32_t y = 0; y < place.height; y++) {
    uint8_t *line = lines + (size_t)(place.top + y) * screen->memory.line_length;
    for (uint32_t x = 0; x < place.width; x++) put(line, screen, place.left + x, mean(picture, &place, x, y, background));
  }
  const char *wrong = write_all(screen, lines, bytes) ? NULL : "cannot be written";
  free(lines);
  return wrong;
}

static const char *look_at(struct screen *screen) {
  if (ioctl(screen->device, FBIOGET_VSCREENINFO, &screen->shape) < 0 || ioctl(screen->device, FBIOGET_FSCREENINFO, &screen->memory) < 0) return "is no frame buffer";
  const struct fb_var_screeninfo *shape = &screen->shape;
  uint32_t bits = shape->bits_per_pixel;
  bool colours = screen->memory.visual == FB_VISUAL_TRUECOLOR || screen->memory.visual == FB_VISUAL_DIRECTCOLOR;
  errno = 0;
  if (screen->memory.type != FB_TYPE_PACKED_PIXELS || !colours || (bits != 16 && bits != 24 && bits != 32)) return "has no true colours";
  if (shape->xres == 0 || shape->yres == 0) return "has no pixels";
  if (shape->xres > MOST_SCREEN_SIDE || shape->yres > MOST_SCREEN_SIDE || (uint64_t)screen->memory.line_length * shape->yres > MOST_SCREEN_BYTES) return "is too large";
  if (screen->memory.line_length < shape->xres * (bits / 8)) return "has lines that overlap";
  if (!is_inside(&shape->red, bits) || !is_inside(&shape->green, bits) || !is_inside(&shape->blue, bits) || !is_inside(&shape->transp, bits)) return "has colours outside of its pixels";
  return NULL;
}

/**
 * A driver of DRM shows its frame buffer when somebody sets a mode, which the kernel's own console would have done. One that only has the firmware's refuses that, and needs it not.
 * What was written before that can be lost: the mode is set with a buffer in the card's memory (bochs-drm of Linux 6.12 then shows black).
 */
static void light(const struct screen *screen) {
  struct fb_var_screeninfo same = screen->shape;
  same.activate = FB_ACTIVATE_NOW | FB_ACTIVATE_FORCE;
  (void)ioctl(screen->device, FBIOPUT_VSCREENINFO, &same);
  (void)ioctl(screen->device, FBIOBLANK, FB_BLANK_UNBLANK);
}

const char *screen_draw(const char *device, const struct picture *picture) {
  struct screen screen = {.device = open(device, O_RDWR | O_CLOEXEC)};
  if (screen.device < 0) return "cannot be opened";
  const char *wrong = look_at(&screen);
  if (wrong == NULL) {
    light(&screen);
    wrong = draw(&screen, picture);
  }
  close(screen.device);
  return wrong;
}

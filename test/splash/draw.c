// Draws a picture on a file that stands for a frame buffer: draw PICTURE FILE. Compiled with ioctl as fake_ioctl; the screen is as FAKE_SCREEN says:
// width height bits line-length x-offset y-offset visual red-offset:length green blue alpha.
#include <errno.h>
#include <linux/fb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "splash.h"

int fake_ioctl(int device, unsigned long request, ...) {
  va_list words;
  va_start(words, request);
  void *into = va_arg(words, void *);
  va_end(words);
  (void)device;
  struct fb_var_screeninfo shape = {0};
  struct fb_fix_screeninfo memory = {.type = FB_TYPE_PACKED_PIXELS};
  const char *given = getenv("FAKE_SCREEN");
  if (given == NULL) {
    errno = ENOTTY;
    return -1;
  }
  int found = sscanf(given, "%u %u %u %u %u %u %u %u:%u %u:%u %u:%u %u:%u", &shape.xres, &shape.yres, &shape.bits_per_pixel, &memory.line_length, &shape.xoffset, &shape.yoffset,
    &memory.visual, &shape.red.offset, &shape.red.length, &shape.green.offset, &shape.green.length, &shape.blue.offset, &shape.blue.length, &shape.transp.offset, &shape.transp.length);
  if (found != 15) abort();
  if (request == FBIOGET_VSCREENINFO) memcpy(into, &shape, sizeof shape);
  if (request == FBIOGET_FSCREENINFO) memcpy(into, &memory, sizeof memory);
  if (request == FBIOPUT_VSCREENINFO) puts("mode set");
  return 0;
}

int main(int count, char **words) {
  struct picture picture;
  if (count != 3) return 2;
  const char *wrong = png_read(words[1], &picture);
  if (wrong != NULL) {
    printf("picture %s\n", wrong);
    return 1;
  }
  wrong = screen_draw(words[2], &picture);
  free(picture.pixels);
  if (wrong != NULL) printf("screen %s\n", wrong);
  return wrong == NULL ? 0 : 1;
}

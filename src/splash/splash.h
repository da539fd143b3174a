// Parts of minke-splash. Functions that can fail return NULL, or a text that says what failed; errno says why unless it is 0.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

/** Rows from the top, without gaps; a pixel is red, green, blue, alpha, 8 bits each. */
struct picture {
  uint32_t width;
  uint32_t height;
  uint8_t *pixels;
};

enum { PIXEL_BYTES = 4, MOST_PIXELS_A_SIDE = 8192 };

// png.c
/** Reads a PNG file of any colour type and depth that is not interlaced. The pixels are freed by the caller. */
const char *png_read(const char *path, struct picture *picture) MUST_CHECK;

// screen.c
/** Puts the picture in the middle of a frame buffer's screen, smaller where it would not fit, and its background around it; lights the screen. */
const char *screen_draw(const char *device, const struct picture *picture) MUST_CHECK;

// console.c
/** Keeps the kernel from drawing text on the virtual terminal in front. */
const char *console_hide(void) MUST_CHECK;
/** Lets it draw again, what was written meanwhile too. */
const char *console_show(void) MUST_CHECK;
/** Hides terminal 1 and asks to be told, by the signals, when people or programs go to another terminal and come back. Returns its descriptor in `terminal`. */
const char *console_hold(int *terminal, int leave_signal, int return_signal) MUST_CHECK;
void console_left(int terminal);
void console_returned(int terminal);

// uevents.c
/** Opens what the kernel tells of devices. */
const char *uevents_open(int *events) MUST_CHECK;
/** Reads all events that have come. True where one was a new frame buffer, or where some were lost. */
bool uevents_new_screen(int events);

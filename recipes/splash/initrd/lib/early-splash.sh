# The picture, from here on until an application takes the screen. It never holds up the start: what goes wrong with it is said, and that is all.
# The system goes on with the program and the picture of the initrd that started it (minke-splash.service).

show_picture() {
  folder=${splash:-/run/minke/splash}
  mkdir -p "$folder" && cp /usr/sbin/minke-splash "${lists%/modules}/initrd/splash.png" "$folder" || return
  # In the background: a large picture takes a small board a second.
  { said=$("$folder/minke-splash" show "$folder/splash.png" 2>&1) || warn "$said"; } &
}

# Called before the last words of a start that failed.
show_text() { minke-splash text 2>/dev/null; }

# An init that ends makes the kernel panic, and in graphics mode nobody would read of it. Handing over ends nothing.
trap show_text EXIT

# For who wants to read what a kernel says that panics: it does not switch to text.
[ "$(kernel_parameter minke.splash)" = off ] || show_picture || warn "no picture: there is no room for it"

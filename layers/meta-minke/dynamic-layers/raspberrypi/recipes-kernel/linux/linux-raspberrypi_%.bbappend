require recipes-kernel/linux/minke-kernel.inc
SRC_URI:append:minke = " file://minke-raspberrypi.cfg"

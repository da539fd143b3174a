FILESEXTRAPATHS:prepend:minke := "${THISDIR}/files:"
SRC_URI:append:minke = " file://minke-initrd.cfg"

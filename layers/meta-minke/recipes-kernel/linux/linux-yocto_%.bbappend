require recipes-kernel/linux/minke-kernel.inc
# meta-intel-edison's kernel has this name too.
SRC_URI:append:minke:edison = " file://minke-edison.cfg"

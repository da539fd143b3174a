require recipes-kernel/linux/minke-kernel.inc
SRC_URI:append:minke = " file://minke-am335x.cfg"
# meta-ti merges what is named here, by its absolute path.
KERNEL_CONFIG_FRAGMENTS:append:minke = " ${WORKDIR}/minke.cfg ${WORKDIR}/minke-am335x.cfg"

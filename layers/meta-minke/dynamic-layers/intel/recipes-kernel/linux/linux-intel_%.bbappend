require recipes-kernel/linux/minke-kernel.inc

SUMMARY = "Root filesystem of Minke OS"
DESCRIPTION = "The packages of packagegroup-minke, with the files, links, users and units of the project's recipes. Partitions \
and the disk image are made of it by osbuild, as from every other provider."
LICENSE = "Apache-2.0"

inherit image extrausers

IMAGE_INSTALL = "packagegroup-minke"
IMAGE_FEATURES = ""
IMAGE_LINGUAS = ""
IMAGE_FSTYPES = "tar modules"
IMAGE_NAME_SUFFIX = ""
# The boot loader's kernel is handed on by itself.
PACKAGE_EXCLUDE = "kernel-image-*"

# What is writable is said by the recipes' state, and bound by the initrd.
BAD_RECOMMENDATIONS += "volatile-binds"

# Written by osbuild; not there where the layer is used by itself.
include conf/minke-project.inc

# As osbuild's steps read archives: plain names, no clock, no attributes of the build host. The modules once more by themselves,
# for the initrd.
MINKE_TAR = "tar --sort=name --format=posix --numeric-owner --pax-option=delete=atime,delete=ctime --xattrs --xattrs-include=security.capability --transform='s,^\./\(.\),\1,rSh'"
IMAGE_CMD:tar = "${MINKE_TAR} -cf ${IMGDEPLOYDIR}/${IMAGE_NAME}.tar -C ${IMAGE_ROOTFS} ."
IMAGE_TYPES += "modules"
IMAGE_CMD:modules = "${MINKE_TAR} -cf ${IMGDEPLOYDIR}/${IMAGE_NAME}.modules -C ${IMAGE_ROOTFS} ./usr/lib/modules"

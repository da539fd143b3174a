SUMMARY = "Programs of the initrd, with the libraries they need"
DESCRIPTION = "osbuild takes the programs that its recipes name from this file system and packs the initrd itself."
LICENSE = "Apache-2.0"

inherit image

MINKE_INITRD_PACKAGES ??= "busybox"
IMAGE_INSTALL = "${MINKE_INITRD_PACKAGES}"
IMAGE_FEATURES = ""
IMAGE_LINGUAS = ""
IMAGE_FSTYPES = "tar"
IMAGE_NAME_SUFFIX = ""
IMAGE_CMD:tar = "tar --sort=name --format=posix --numeric-owner --pax-option=delete=atime,delete=ctime --transform='s,^\./\(.\),\1,rSh' -cf ${IMGDEPLOYDIR}/${IMAGE_NAME}.tar -C ${IMAGE_ROOTFS} ."

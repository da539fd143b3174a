SUMMARY = "Everything that the recipes of a project ask for"
DESCRIPTION = "The list is MINKE_PACKAGES, which osbuild writes into local.conf from the recipes' packages."
LICENSE = "Apache-2.0"
PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit packagegroup

MINKE_PACKAGES ??= "packagegroup-core-boot"
RDEPENDS:${PN} = "${MINKE_PACKAGES}"

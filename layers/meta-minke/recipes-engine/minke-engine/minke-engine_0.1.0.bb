SUMMARY = "minke, the container engine"
DESCRIPTION = "The static program that osbuild compiles for the machine's architecture: the same bytes in every image, whoever packs them."
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

# Folder with the program, given by osbuild. It decides nothing by its name: file-checksums cover what is in it.
MINKE_ENGINE_DIR ??= ""
FILESEXTRAPATHS:prepend := "${@(d.getVar('MINKE_ENGINE_DIR') + ':') if d.getVar('MINKE_ENGINE_DIR') else ''}"
SRC_URI = "file://minke"
S = "${WORKDIR}"

python () {
    if not d.getVar("MINKE_ENGINE_DIR"):
        raise bb.parse.SkipRecipe("MINKE_ENGINE_DIR is not set: osbuild gives the engine's program there")
}

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -D -m 0755 ${S}/minke ${D}${bindir}/minke
}

# Stripped and linked statically already, with its bytecode behind the program.
INHIBIT_PACKAGE_STRIP = "1"
INHIBIT_SYSROOT_STRIP = "1"
INHIBIT_PACKAGE_DEBUG_SPLIT = "1"
INSANE_SKIP:${PN} += "already-stripped ldflags"

RDEPENDS:${PN} = "ca-certificates conmon crun iproute2 kmod nftables"

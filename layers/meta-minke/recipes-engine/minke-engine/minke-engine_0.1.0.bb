SUMMARY = "minke, the container engine"
DESCRIPTION = "A host in C around QuickJS, with the engine's TypeScript as bytecode in it. One static program: it is mounted into \
containers, whose C library is another, as their first process."
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

DEPENDS = "c-ares libuv mbedtls quickjs quickjs-native zlib zstd zstd-native"

# Folder with host/ and bundle.js, given by osbuild: the bundle takes esbuild to make. The folder's name decides nothing,
# file-checksums cover what is in it.
MINKE_ENGINE_DIR ??= ""
FILESEXTRAPATHS:prepend := "${@(d.getVar('MINKE_ENGINE_DIR') + ':') if d.getVar('MINKE_ENGINE_DIR') else ''}"
SRC_URI = "file://host file://bundle.js"
S = "${WORKDIR}/host"
B = "${WORKDIR}/build"

# The engine tells registries which architecture and variant it wants images of.
def minke_engine_arch(d):
    arch = d.getVar("TARGET_ARCH")
    if arch == "arm":
        # Not TUNE_FEATURES: a tune for one processor names that instead.
        overrides = d.getVar("OVERRIDES").split(":")
        if any(override.startswith(("armv7", "armv8")) for override in overrides):
            return "armv7hf"
        return "armv6l" if "armv6" in overrides else "armv5e"
    if arch in ("i386", "i486", "i586", "i686"):
        return "i386"
    return {"aarch64": "aarch64", "x86_64": "amd64"}.get(arch, "")

MINKE_ENGINE_ARCH = "${@minke_engine_arch(d)}"

python () {
    if not d.getVar("MINKE_ENGINE_DIR"):
        raise bb.parse.SkipRecipe("MINKE_ENGINE_DIR is not set: osbuild gives the engine's sources there")
    if not d.getVar("MINKE_ENGINE_ARCH"):
        raise bb.parse.SkipRecipe("the engine is not made for %s" % d.getVar("TARGET_ARCH"))
}

MINKE_STATIC_LIBRARIES = "uv cares mbedtls mbedx509 mbedcrypto z zstd"

do_configure() {
    for library in ${MINKE_STATIC_LIBRARIES}; do
        if [ ! -e ${STAGING_LIBDIR}/lib$library.a ]; then
            bbfatal "there is no static lib$library: the distribution minke has DISABLE_STATIC off for it, another one needs the same"
        fi
    done
    # Warnings of compilers that the engine's authors have not seen are not errors here.
    sed -i 's/ -Werror / /' ${S}/Makefile
}

do_compile() {
    install -d ${B}/out
    oe_runmake -C ${S} \
        ARCH=${MINKE_ENGINE_ARCH} \
        CROSS=${HOST_PREFIX} \
        CC="${CC} ${DEBUG_PREFIX_MAP}" \
        OBJCOPY="${OBJCOPY}" \
        MACHINE= \
        QUICKJS=${STAGING_LIBDIR}/quickjs/libquickjs.a \
        BUNDLE=${WORKDIR}/bundle.js \
        BUILD=${B} \
        OUT=${B}/out
}

# With its symbols, which package.bbclass takes apart.
do_install() {
    install -D -m 0755 ${B}/minke ${D}${bindir}/minke
}

RDEPENDS:${PN} = "ca-certificates conmon crun iproute2 kmod nftables"

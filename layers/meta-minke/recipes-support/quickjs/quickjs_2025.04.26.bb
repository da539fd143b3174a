SUMMARY = "Small JavaScript engine that is linked into programs"
HOMEPAGE = "https://bellard.org/quickjs/"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=00d0a5fff8216c94faadd9a51b23695e"

# The very source that Debian's libquickjs is made of, which osbuild links into images of its other provider.
SRC_URI = "${DEBIAN_MIRROR}/main/q/${BPN}/${BPN}_${PV}.orig.tar.xz"
SRC_URI[sha256sum] = "ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe"
UPSTREAM_CHECK_URI = "https://bellard.org/quickjs/"

# The library for targets; for the build host the compiler to bytecode, whose format is the library's own.
QUICKJS_TARGETS = "libquickjs.a"
QUICKJS_TARGETS:class-native = "qjsc"

do_compile() {
    # QJSC_CC: what qjsc would call to make programs of its own, one word in quotes.
    oe_runmake CC="${CC}" QJSC_CC=gcc AR="${AR}" CROSS_PREFIX= PREFIX="${prefix}" ${QUICKJS_TARGETS}
}

do_install() {
    install -d ${D}${includedir}/quickjs ${D}${libdir}/quickjs
    install -m 0644 ${S}/quickjs.h ${S}/quickjs-libc.h ${D}${includedir}/quickjs
    install -m 0644 ${B}/libquickjs.a ${D}${libdir}/quickjs
}

do_install:class-native() {
    install -D -m 0755 ${B}/qjsc ${D}${bindir}/qjsc
}

# Nothing of it runs on a device by itself.
RDEPENDS:${PN}-dev = ""

BBCLASSEXTEND = "native"

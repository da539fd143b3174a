SUMMARY = "Small SSH server"
DESCRIPTION = "The server and its keys' maker, without PAM and without the client. openembedded-core's version cannot be told \
where authorized keys are (-D), which those of Minke OS's config.json need."
HOMEPAGE = "https://matt.ucc.asn.au/dropbear/dropbear.html"
SECTION = "console/network"
LICENSE = "MIT & BSD-3-Clause & BSD-2-Clause & PD"
LIC_FILES_CHKSUM = "file://LICENSE;md5=25cf44512b7bc8966a48b6b1a9b7605f"

DEPENDS = "virtual/crypt zlib"

SRC_URI = "https://matt.ucc.asn.au/dropbear/releases/${BP}.tar.bz2"
SRC_URI[sha256sum] = "0d1f7ca711cfc336dc8a85e672cab9cfd8223a02fe2da0a4a7aeb58c9e113634"
# The same file, where Debian keeps it.
MIRRORS:append = " https://matt.ucc.asn.au/dropbear/releases/${BP}.tar.bz2 ${DEBIAN_MIRROR}/main/d/dropbear/dropbear_${PV}.orig.tar.bz2"

CVE_PRODUCT = "dropbear_ssh"

inherit autotools

# Another distribution keeps the dropbear that it has.
python () {
    if "minke" not in d.getVar("OVERRIDES").split(":"):
        raise bb.parse.SkipRecipe("this dropbear is for the distribution minke")
}

# Of hardening it has flags of its own; those of the distribution are there already.
EXTRA_OECONF = "--disable-harden --enable-bundled-libtom"
EXTRA_OEMAKE = 'MULTI=1 PROGRAMS="dropbear dropbearkey"'

RPROVIDES:${PN} = "sshd"
RCONFLICTS:${PN} = "openssh-sshd openssh"

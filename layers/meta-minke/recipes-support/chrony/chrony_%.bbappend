# As Debian has it, since recipes of osbuild are written once for both: the unit chrony.service with /etc/default/chrony, settings
# below /etc/chrony, the user _chrony, and a filter of system calls to switch on.
PACKAGECONFIG:append:minke = " privdrop scfilter"
PACKAGECONFIG_CONFARGS:append:minke = " --sysconfdir=${sysconfdir}/chrony --with-user=_chrony"
USERADD_PARAM:${PN}:minke = "--system --user-group --no-create-home --home-dir ${localstatedir}/lib/chrony --shell ${base_sbindir}/nologin _chrony"
SYSTEMD_SERVICE:${PN}:minke = "chrony.service"
CONFFILES:${PN}:minke = "${sysconfdir}/chrony/chrony.conf"

do_install:append:minke() {
    install -d ${D}${sysconfdir}/chrony
    sed -e 's/^user chronyd$/user _chrony/' ${D}${sysconfdir}/chrony.conf > ${D}${sysconfdir}/chrony/chrony.conf
    sed -e 's,^EnvironmentFile=.*,EnvironmentFile=-${sysconfdir}/default/chrony,' -e 's,[$]OPTIONS,$DAEMON_OPTS,' \
        ${D}${systemd_system_unitdir}/chronyd.service > ${D}${systemd_system_unitdir}/chrony.service
    grep -q 'chronyd [$]DAEMON_OPTS' ${D}${systemd_system_unitdir}/chrony.service || bbfatal "chronyd.service starts chronyd in another way than this layer knows"
    # It would give the folder of the clock's drift to root at every start.
    rm -f ${D}${sysconfdir}/tmpfiles.d/chronyd.conf
    rm ${D}${systemd_system_unitdir}/chronyd.service ${D}${sysconfdir}/chrony.conf
}

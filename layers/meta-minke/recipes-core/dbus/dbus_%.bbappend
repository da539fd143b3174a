# The helper that starts services where Debian has it: its mode and owner stand in osbuild's recipe "systemd".
libexecdir:class-target:minke = "${nonarch_libdir}/dbus-1.0"

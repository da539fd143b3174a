# $1: options, $2: device, $3: folder. Names are UTF-8. What a kernel takes by itself (often iso8859-1) need not be among the modules of the initrd.
mount_fat() { mount -t vfat -o "$1,nosuid,nodev,noexec,codepage=437,iocharset=ascii,utf8" "$2" "$3"; }

FROM busybox:lab
ENV SET=value EMPTY= FILE=archive.tar.gz
ENV A=${UNSET:-fallback} B=${EMPTY:-fallback} C=${EMPTY-kept} D=${SET:+instead} E=${UNSET:+instead} F=\$SET G=${FILE%.gz} H=${FILE%%.*} I=${FILE#*.} J=${FILE//a/o}
#> sh echo "$A|$B|$C|$D|$E|$F|$G|$H|$I|$J"
#> prints fallback|fallback||instead||$SET|archive.tar|archive|tar.gz|orchive.tor.gz

FROM busybox:lab
ENV A="${MISSING:?is wanted}"
#> fails is wanted

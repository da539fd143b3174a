FROM busybox:lab
ONBUILD FROM scratch
#> fails FROM

FROM busybox:lab
MAINTAINER Ann Other <ann@example.com>
#> inspect .Author
#> is "Ann Other <ann@example.com>"

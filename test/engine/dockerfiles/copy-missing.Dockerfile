FROM busybox:lab
COPY absent.txt /
#> fails absent.txt

FROM busybox:lab
USER app
RUN id -un > /tmp/name; id -gn >> /tmp/name
USER 4321:2000
RUN id -u > /tmp/numbers; id -g >> /tmp/numbers
USER app:extra
#> sh cat /tmp/name /tmp/numbers; id -un; id -gn
#> prints app
#> prints app
#> prints 4321
#> prints 2000
#> prints app
#> prints extra

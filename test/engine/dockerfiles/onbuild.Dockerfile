# Carried out when another image is built on this one, at its FROM.
FROM busybox:lab AS base
ONBUILD RUN echo "before what follows" > /said
ONBUILD COPY one.txt /copied
FROM base
RUN cat /said /copied > /both
#> sh cat /both
#> prints before what follows
#> prints one
#> inspect .Config.OnBuild
#> is null

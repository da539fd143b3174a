FROM busybox:lab
RUN echo some words; exit 3
#> fails returned a non-zero code: 3

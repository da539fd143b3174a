# What stands before FROM is known to FROM alone, until it is declared again.
ARG IMAGE=busybox
ARG TAG=lab
FROM ${IMAGE}:${TAG}
RUN echo "<$TAG>" > /before
ARG TAG
RUN echo "<$TAG>" > /after
#> sh cat /before /after
#> prints <>
#> prints <lab>

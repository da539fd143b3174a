# syntax=docker/dockerfile:1
# check=skip=all
FROM busybox:lab
RUN echo fine > /said
#> sh cat /said
#> prints fine

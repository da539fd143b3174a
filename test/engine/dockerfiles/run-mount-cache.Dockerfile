FROM busybox:lab
RUN --mount=type=cache,target=/cache,id=corpus echo kept > /cache/file
RUN --mount=type=cache,target=/other,id=corpus cat /other/file > /said
RUN ls -A /cache | wc -l >> /said
#> sh cat /said
#> prints kept
#> prints 0

FROM busybox:lab AS made
RUN echo from a stage > /made
FROM busybox:lab
RUN --mount=type=bind,source=folder,target=/mnt/context --mount=from=made,source=/made,target=/mnt/made cat /mnt/context/inner.txt /mnt/made > /said
RUN --mount=target=/mnt,rw echo gone > /mnt/new.txt
RUN test ! -e /mnt/new.txt && echo "nothing left" >> /said
#> sh cat /said
#> prints inner
#> prints from a stage
#> prints nothing left

FROM busybox:lab
RUN echo made > /made
FROM busybox:lab
RUN echo other > /other
FROM scratch
COPY --from=0 /made /
COPY --from=1 /other /
COPY --from=busybox:lab /bin/busybox /bin/busybox
COPY --from=busybox:lab /bin/sh /bin/sh
#> inspect .RootFS.Layers | len
#> is 4

FROM busybox:lab
ARG TARGETOS
ARG TARGETARCH
ARG TARGETPLATFORM
RUN echo "$TARGETOS $TARGETARCH $TARGETPLATFORM" > /said
#> sh cat /said
#> prints linux amd64 linux/amd64

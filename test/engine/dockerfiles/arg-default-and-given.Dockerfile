FROM busybox:lab
ARG LEFT=default
ARG GIVEN=default
ARG NONE
RUN echo "$LEFT $GIVEN ${NONE-unset}" > /said
#> build --build-arg GIVEN=given
#> sh cat /said; env | grep -c GIVEN || true
#> prints default given unset
#> prints 0

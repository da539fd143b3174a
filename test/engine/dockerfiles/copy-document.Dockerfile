FROM busybox:lab
ARG WHO=you
COPY <<first <<"second" /documents/
hello $WHO
first
hello $WHO
second
#> sh cat /documents/first /documents/second
#> prints hello you
#> prints hello $WHO

# A link to a folder stays, and what it leads to is filled.
FROM busybox:lab
RUN mkdir -p /usr/real && ln -s usr/real /link
COPY folder/ /link/
#> sh readlink /link; ls /usr/real
#> prints usr/real
#> prints deep
#> prints inner.txt

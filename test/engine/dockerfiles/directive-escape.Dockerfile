# escape=`
FROM busybox:lab
RUN echo one `
  two > /said
ENV PATH_LIKE=C:\windows
#> sh cat /said; echo "$PATH_LIKE"
#> prints one two
#> prints C:\windows

FROM busybox:lab
COPY --from=busybox:lab /var/www/index.html /page
#> sh cat /page
#> prints hello from minke

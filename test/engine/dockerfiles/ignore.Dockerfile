# .dockerignore of the context: *.log but keep.log, and everything below skip/.
FROM busybox:lab
COPY . /all
#> sh cd /all; ls; test -e skip || echo gone
#> prints Dockerfile
#> prints bundle.tar.gz
#> prints folder
#> prints keep.log
#> prints one.txt
#> prints script
#> prints two.txt
#> prints gone

FROM busybox:lab
COPY *.txt /texts/
COPY on?.t[w-z]t /single/
COPY folder/*/th*.txt /deep/
#> sh ls /texts /single /deep
#> prints /deep:
#> prints three.txt
#> prints
#> prints /single:
#> prints one.txt
#> prints
#> prints /texts:
#> prints one.txt
#> prints two.txt

FROM busybox:lab
COPY --exclude=*.txt folder /a/
COPY --parents folder/deep/three.txt /b/
#> sh find /a /b | sort
#> prints /a
#> prints /a/deep
#> prints /a/deep/three.txt
#> prints /b
#> prints /b/folder
#> prints /b/folder/deep
#> prints /b/folder/deep/three.txt

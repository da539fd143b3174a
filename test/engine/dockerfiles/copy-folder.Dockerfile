# The content of a folder is copied, not the folder.
FROM busybox:lab
COPY folder /a
COPY folder/ /b/
COPY folder one.txt /c/
#> sh for place in a b c; do (cd /$place; echo $(find . -type f | sort)); done
#> prints ./deep/three.txt ./inner.txt
#> prints ./deep/three.txt ./inner.txt
#> prints ./deep/three.txt ./inner.txt ./one.txt

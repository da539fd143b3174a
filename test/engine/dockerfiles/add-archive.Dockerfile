# Archives are unpacked where they are added, with modes and links; --unpack=false leaves one as it is.
FROM busybox:lab
ADD bundle.tar.gz /unpacked/
ADD --unpack=false bundle.tar.gz /whole/
COPY bundle.tar.gz /copied/
#> sh cd /unpacked; find . | sort; readlink in/link; stat -c %a in/tool; ls /whole /copied
#> prints .
#> prints ./in
#> prints ./in/link
#> prints ./in/text
#> prints ./in/tool
#> prints text
#> prints 755
#> prints /copied:
#> prints bundle.tar.gz
#> prints
#> prints /whole:
#> prints bundle.tar.gz

FROM busybox:lab
RUN <<PROGRAM
#!/bin/awk -f
BEGIN { print "of awk" > "/said" }
PROGRAM
#> sh cat /said
#> prints of awk

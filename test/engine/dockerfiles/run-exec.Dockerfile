FROM busybox:lab
RUN ["sh", "-c", "echo \"$0 $1\" > /said", "with", "its own words"]
#> sh cat /said
#> prints with its own words

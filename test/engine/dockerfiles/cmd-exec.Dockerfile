FROM busybox:lab
CMD ["echo", "$HOME is not replaced"]
#> start
#> prints $HOME is not replaced

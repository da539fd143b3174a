FROM busybox:lab
SHELL ["/bin/sh", "-e", "-c"]
RUN echo "$-" > /said
CMD echo of the shell
#> sh grep -c e /said
#> prints 1
#> inspect .Config.Shell
#> is ["/bin/sh","-e","-c"]
#> inspect .Config.Cmd
#> is ["/bin/sh","-e","-c","echo of the shell"]

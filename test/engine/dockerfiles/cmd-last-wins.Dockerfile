FROM busybox:lab
CMD echo first
CMD echo "last of $WHO"
ENV WHO=two
#> start
#> prints last of two
#> inspect .Config.Cmd
#> is ["/bin/sh","-c","echo \"last of $WHO\""]

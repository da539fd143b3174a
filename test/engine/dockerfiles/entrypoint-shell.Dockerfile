# In shell form, arguments are not handed on.
FROM busybox:lab
ENV WHO=shell
ENTRYPOINT echo "of the $WHO"
CMD ["ignored"]
#> start also ignored
#> prints of the shell

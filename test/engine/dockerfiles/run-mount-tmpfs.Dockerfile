FROM busybox:lab
RUN --mount=type=tmpfs,target=/scratch,size=1m stat -f -c %T /scratch > /said; echo x > /scratch/x
RUN ls -A /scratch 2>/dev/null | wc -l >> /said
#> sh cat /said
#> prints tmpfs
#> prints 0

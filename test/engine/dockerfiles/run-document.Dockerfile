FROM busybox:lab
ENV WHO=shell
RUN <<SCRIPT
echo "one of the $WHO" > /said
cat <<inner >> /said
two
inner
SCRIPT
RUN <<'OTHER' cat > /other
not $replaced
OTHER
#> sh cat /said /other
#> prints one of the shell
#> prints two
#> prints not $replaced

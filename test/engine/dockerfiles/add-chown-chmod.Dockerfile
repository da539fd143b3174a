FROM busybox:lab
ADD --chown=app:extra --chmod=640 one.txt /a/
ADD --chown=1234 two.txt /b/
#> sh stat -c '%n %U %G %a %u' /a/one.txt; stat -c '%u %g' /b/two.txt
#> prints /a/one.txt app extra 640 1000
#> prints 1234 1234

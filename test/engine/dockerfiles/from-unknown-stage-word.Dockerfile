FORM busybox:lab
#> fails did you mean FROM

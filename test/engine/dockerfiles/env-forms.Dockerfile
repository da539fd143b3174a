FROM busybox:lab
ENV OLD all of the line "quotes stay"
ENV ONE=1 TWO="two words" THREE=three\ words FOUR='single $ONE'
ENV CHAIN=$ONE-$TWO
ENV ONE=changed SAME=$ONE
#> sh echo "$OLD"; echo "$TWO|$THREE|$FOUR|$CHAIN|$SAME"
#> prints all of the line quotes stay
#> prints two words|three words|single $ONE|1-two words|1

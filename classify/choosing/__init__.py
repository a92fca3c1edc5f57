"""Which frozen base suits a data set, judged on a part of its training images."""

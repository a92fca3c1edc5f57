"""From a folder to labelled images: what its subfolders, file names and tables mean.

`readings`, `flat` and `table_beside` propose what a folder could mean, `choice` takes the only
reading that fits or refuses, and `reader` makes the data set.
"""

from extract.datasets.layouts.files import images_in as images_in
from extract.datasets.layouts.reader import read_dataset as read_dataset

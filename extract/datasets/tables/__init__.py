"""Tables of images: what people's spreadsheets and programs write, read as labelled images."""

from extract.datasets.tables.grid import is_table as is_table
from extract.datasets.tables.reading import Table as Table
from extract.datasets.tables.reading import lists_images as lists_images
from extract.datasets.tables.reading import mentions_images as mentions_images
from extract.datasets.tables.reading import read_columns as read_columns
from extract.datasets.tables.reading import read_table as read_table

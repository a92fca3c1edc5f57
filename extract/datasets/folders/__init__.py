"""What is in a folder, on this machine or at an address, without what is no data."""

from extract.datasets.folders.tree import Folder as Folder
from extract.datasets.folders.tree import read_tree as read_tree

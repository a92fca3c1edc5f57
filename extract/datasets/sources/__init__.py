"""Where data sets come from: names, downloads, archives, and the shapes that are drawn here."""

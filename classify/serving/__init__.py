"""A saved model kept ready, and the web application that serves it."""

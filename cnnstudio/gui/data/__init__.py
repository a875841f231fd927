"""Data sets: downloading, adding folders of images, choosing one."""

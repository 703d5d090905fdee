"""Scores and ratings in photos' EXIF and XMP: planned, spliced in, verified, journalled, taken back."""

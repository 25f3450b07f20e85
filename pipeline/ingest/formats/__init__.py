"""Delivered files of each format, read as chunks of rows. A new format: write its reader, name it in reader.py."""

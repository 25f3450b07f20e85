"""What is kept below a home: whole files, the lake, snapshots, and results that are made once."""

"""What is kept below a home: whole files, the lake, snapshots, memoised results, the lock and the warehouse."""

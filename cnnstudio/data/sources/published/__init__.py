"""Published data sets that are downloaded from their authors, one file each."""

"""Models published as data: a store behind a URL (a folder, file:// or s3://), from which any machine fetches a version."""
